"""Step four of a release: a member's weights put into its ensemble's folder, as an adapter or a merged checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agents.core.errors import InputError
from agents.engines.adapter_config import ADAPTER_WEIGHTS
from agents.ensemble.weights import adapter_config_sha256
from agents.models.checkpoint import checkpoint_sha256
from agents.models.download import sha256_of
from agents.support.atomic_folder import staged_folder
from training.adapters.storage import Dtype, copy_adapter
from training.merging.check import MIN_AGREEMENT
from training.merging.merge import merge
from training.merging.options import MergeOptions
from training.support.disk import require_disk
from training.support.progress import StageProgress, no_progress

MEMBERS_FOLDER = "members"

ITEM_BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True)
class PlacedWeights:
    """The weights that a member is computed with, and how its ensemble's manifest names them."""

    opens: tuple[Path, Path | None]
    """The checkpoint, and an adapter on it: what ``training.support.plain_model.plain_model`` takes."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """``kind``, ``path`` and the hashes of ``agents.core.manifest.Member``; none for the bare base."""


@dataclass(frozen=True)
class WeightsPlacer:
    """Puts members' weights into the ensemble in ``output``; what was there is replaced.

    ``adapters`` are the folders of trained members on the checkpoint ``base``, by name. Those in ``merged`` become
    checkpoints in ``dtype``.
    """

    output: Path
    base: Path
    dtype: Dtype
    adapters: Mapping[str, Path] = field(default_factory=dict)
    merged: frozenset[str] = frozenset()

    def require_room(self, reserve_bytes: int) -> None:
        """Raises DiskSpaceError unless a merged checkpoint of every member in ``merged`` fits beside ``reserve_bytes``.

        Raises InputError for a base in a precision that is not known here.
        """
        if not self.merged:
            return
        if (own := _own_dtype(self.base)) not in ITEM_BYTES:
            raise InputError(f"{self.base}: dtype", own, f"one of {', '.join(ITEM_BYTES)}")
        weights_bytes = sum(file.stat().st_size for file in self.base.glob("*.safetensors"))
        one_bytes = weights_bytes * ITEM_BYTES[self.dtype] // ITEM_BYTES[own]
        require_disk(self.output / MEMBERS_FOLDER, one_bytes * len(self.merged), reserve_bytes)

    def place(self, name: str, advance: StageProgress = no_progress) -> PlacedWeights:
        """Write the weights of one member; nothing for an untrained one.

        Raises FileError, InputError for a merge that is refused, and what ``training.merging.merge.merge`` raises.
        """
        if (adapter := self.adapters.get(name)) is None:
            return PlacedWeights((self.base, None))
        if name in self.merged:
            return self._place_checkpoint(name, adapter, advance)
        folder = copy_adapter(adapter, self.output / MEMBERS_FOLDER / name)
        fields = _fields("adapter", name, sha256_of(folder / ADAPTER_WEIGHTS))
        return PlacedWeights((self.base, folder), fields | {"config_sha256": adapter_config_sha256(folder)})

    def _place_checkpoint(self, name: str, adapter: Path, advance: StageProgress) -> PlacedWeights:
        """Merge an adapter into the base and write the checkpoint.

        In float32 the result predicts what base and adapter do, to 1e-4 nats; in bfloat16 it is measured, and refused
        where it agrees on too few predictions.
        """
        folder = self.output / MEMBERS_FOLDER / name
        with staged_folder(folder) as staging:
            # Judged here and not by the merge, so that a person is told the recipe's field.
            options = MergeOptions("checkpoint", dtype=self.dtype, allow_approximate=True)
            agreement = merge(self.base, [adapter], staging, options, advance).check.top1_agreement
            if not agreement >= MIN_AGREEMENT:
                raise InputError(
                    f"members.{name}.export",
                    f"a checkpoint in {self.dtype} that agrees with base and adapter on {agreement:.1%} of predictions",
                    f"at least {MIN_AGREEMENT:.0%}; with release.checkpoint_dtype: float32 it is exact",
                )
        # What is opened is the checkpoint as it was written: in bfloat16 its numbers are not quite the adapter's.
        return PlacedWeights((folder, None), _fields("checkpoint", name, checkpoint_sha256(folder)))


def _fields(kind: str, name: str, sha256: str) -> dict[str, str]:
    return {"kind": kind, "path": f"{MEMBERS_FOLDER}/{name}", "sha256": sha256}


def checkpoint_dtype(base: Path) -> Dtype:
    """The precision a merged checkpoint of ``base`` is written in: its own; float32 for float16, which it holds."""
    return "bfloat16" if _own_dtype(base) == "bfloat16" else "float32"


def _own_dtype(base: Path) -> str:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(base, local_files_only=True, trust_remote_code=False)
    return str(config.dtype or "float32").removeprefix("torch.")
