"""The checkpoints of a member's run: how one is known to be whole, what it holds, and which are kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.core.errors import DamagedModelError, InputError
from agents.support.atomic_file import write_whole
from training.support.disk import predict_save_bytes, require_disk

COMPLETE_FILE = "complete.json"
"""Written into a checkpoint after everything else: a folder without it is what a killed run left."""

TRAINED_FILE = "trained.safetensors"
"""A checkpoint's trained parameters under their own names. PEFT's own saving does not know OPLoRA's raw factors."""


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints in the ``folder`` of a run.

    ``identity`` is the digest and alpha that a checkpoint must match before training resumes from it. ``keep`` is how
    many whole ones stay on disk, and ``reserve_bytes`` what a save leaves free.
    """

    folder: Path
    identity: dict[str, Any]
    keep: int
    reserve_bytes: int

    def path(self, step: int) -> Path:
        """Return where the trainer saves after ``step``."""
        return self.folder / f"checkpoint-{step}"

    def whole_steps(self) -> list[int]:
        """List the steps of the checkpoints that were written to their end, in order."""
        whole = self.folder.glob(f"checkpoint-*/{COMPLETE_FILE}")
        return sorted(int(file.parent.name.removeprefix("checkpoint-")) for file in whole)

    def require_room(self, model: Any) -> None:
        """Raises DiskSpaceError unless the next checkpoint of ``model`` fits beside the reserve."""
        trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
        require_disk(self.folder, predict_save_bytes(trained, 4), self.reserve_bytes)

    def mark_whole(self, step: int) -> None:
        """Mark the checkpoint of ``step`` as whole, and remove those no longer kept. Raises FileError."""
        write_whole(self.path(step) / COMPLETE_FILE, json.dumps({"step": step, **self.identity}))
        for old in self.whole_steps()[: -self.keep]:
            shutil.rmtree(self.path(old))

    def remove_unusable(self) -> None:
        """Remove what a killed save left behind, and checkpoints of another alpha.

        Raises InputError for checkpoints of another recipe, whose digest differs.
        """
        for found in self.folder.glob("checkpoint-*"):
            complete = found / COMPLETE_FILE
            mark = json.loads(complete.read_text()) if complete.is_file() else None
            if mark is not None and mark["digest"] != self.identity["digest"]:
                raise InputError(
                    str(self.folder), "checkpoints of another recipe or data", "the same, or an empty folder"
                )
            if mark is None or mark["alpha"] != self.identity["alpha"]:
                shutil.rmtree(found)


def save_trained(folder: Path, model: Any, state_dict: Mapping[str, Any] | None = None) -> None:
    """Write what trains, by parameter name, from ``state_dict`` (a gathered one) or the model itself."""
    from safetensors.torch import save_file

    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    state = model.state_dict() if state_dict is None else state_dict
    tensors = {name: state[name].detach().cpu().contiguous().clone() for name in names}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / TRAINED_FILE)


def load_trained(folder: Path, model: Any) -> None:
    """Put back what ``save_trained`` wrote.

    Raises DamagedModelError for a file that does not load, and for tensors that are not this model's.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    file = folder / TRAINED_FILE
    try:
        found = load_file(file)
    except (OSError, SafetensorError) as error:
        raise DamagedModelError(str(file), f"weights that do not load ({error})", "a whole checkpoint") from None
    expected = {name: p.shape for name, p in model.named_parameters() if p.requires_grad}
    if {name: tensor.shape for name, tensor in found.items()} != expected:
        raise DamagedModelError(str(file), "tensors of other names or shapes", "a checkpoint of this member")
    model.load_state_dict(found, strict=False)
