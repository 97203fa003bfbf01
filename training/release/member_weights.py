"""A released member's weights in its ensemble's folder: its adapter, or a whole checkpoint that it is merged into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agents.core.errors import InputError
from agents.engines.adapter_factors import ADAPTER_WEIGHTS
from agents.models.checkpoint import checkpoint_sha256
from agents.models.download import sha256_of
from agents.support.atomic_folder import staged_folder
from training.adapters.storage import Dtype, copy_adapter
from training.merging.check import MIN_AGREEMENT
from training.merging.deltas import Advance
from training.merging.merge import merge
from training.merging.options import MergeOptions
from training.support.disk import require_disk

MEMBERS_FOLDER = "members"

ITEM_BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True)
class PlacedWeights:
    """What a member is computed with, and how its ensemble's manifest names that."""

    opens: tuple[Path, Path | None]
    """The checkpoint, and an adapter on it: what ``training.support.plain_model.plain_model`` takes."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """``kind``, ``path`` and ``sha256`` of ``agents.core.manifest.Member``; none for the bare base."""


def place_adapter(output: Path, name: str, adapter: Path, base: Path) -> PlacedWeights:
    """Copies an adapter into the ensemble in ``output``; what was there is replaced.

    Its hash is that of the safetensors file. Raises FileError.
    """
    folder = copy_adapter(adapter, output / MEMBERS_FOLDER / name)
    return PlacedWeights((base, folder), _fields("adapter", name, sha256_of(folder / ADAPTER_WEIGHTS)))


def place_checkpoint(
    output: Path, name: str, adapter: Path, base: Path, dtype: Dtype, advance: Advance = lambda stage, done, total: None
) -> PlacedWeights:
    """Merges an adapter into ``base`` and writes the checkpoint into the ensemble; what was there is replaced.

    In float32 the result predicts what base and adapter do, to 1e-4 nats; in bfloat16 it is measured, and refused
    where it agrees on too few predictions. Its hash is ``agents.models.checkpoint.checkpoint_sha256``. Raises
    InputError where it is refused, and as ``training.merging.merge.merge`` does.
    """
    folder = output / MEMBERS_FOLDER / name
    with staged_folder(folder) as staging:
        # Judged here and not by the merge, so that a person is told the recipe's field.
        options = MergeOptions("checkpoint", dtype=dtype, allow_approximate=True)
        agreement = merge(base, [adapter], staging, options, advance).check.top1_agreement
        if not agreement >= MIN_AGREEMENT:
            raise InputError(
                f"members.{name}.export",
                f"a checkpoint in {dtype} that agrees with base and adapter on {agreement:.1%} of predictions",
                f"at least {MIN_AGREEMENT:.0%}; with release.checkpoint_dtype: float32 it is exact",
            )
    # What is opened is the checkpoint as it was written: in bfloat16 its numbers are not quite the adapter's.
    return PlacedWeights((folder, None), _fields("checkpoint", name, checkpoint_sha256(folder)))


def _fields(kind: str, name: str, sha256: str) -> dict[str, str]:
    return {"kind": kind, "path": f"{MEMBERS_FOLDER}/{name}", "sha256": sha256}


def checkpoint_dtype(base: Path) -> Dtype:
    """The precision a merged checkpoint of ``base`` is written in: its own; float32 for float16, which it holds."""
    return "bfloat16" if _own_dtype(base) == "bfloat16" else "float32"


def require_room(output: Path, names: Sequence[str], base: Path, dtype: Dtype, reserve_bytes: int) -> None:
    """Raises DiskSpaceError unless a merged checkpoint of every member named fits beside ``reserve_bytes``.

    Raises InputError for a base in a precision that is not known here.
    """
    if not names:
        return
    if (own := _own_dtype(base)) not in ITEM_BYTES:
        raise InputError(f"{base}: dtype", own, f"one of {', '.join(ITEM_BYTES)}")
    weights_bytes = sum(file.stat().st_size for file in base.glob("*.safetensors"))
    one_bytes = weights_bytes * ITEM_BYTES[dtype] // ITEM_BYTES[own]
    require_disk(output / MEMBERS_FOLDER, one_bytes * len(names), reserve_bytes)


def _own_dtype(base: Path) -> str:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(base, local_files_only=True, trust_remote_code=False)
    return str(config.dtype or "float32").removeprefix("torch.")
