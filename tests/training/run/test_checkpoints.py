"""Which checkpoints of a run are whole, usable and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from agents.core.errors import DamagedModelError, DiskSpaceError, InputError
from training.run.checkpoints import COMPLETE_FILE, TRAINED_FILE, Checkpoints, load_trained, save_trained


def checkpoints(folder: Path, **changes: Any) -> Checkpoints:
    return Checkpoints(folder, **{"identity": {"digest": "d", "alpha": 8}, "keep": 2, "reserve_bytes": 0, **changes})


def saved(folder: Path, *steps: int) -> Checkpoints:
    found = checkpoints(folder)
    for step in steps:
        found.path(step).mkdir()
        found.mark_whole(step)
    return found


def test_only_the_last_whole_ones_are_kept(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-50").mkdir()
    assert saved(tmp_path, 9, 10, 11).whole_steps() == [10, 11]


def test_what_a_killed_save_left_and_another_alpha_are_removed(tmp_path: Path) -> None:
    saved(tmp_path, 1, 2)
    (tmp_path / "checkpoint-1" / COMPLETE_FILE).unlink()
    checkpoints(tmp_path).remove_unusable()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-2"]
    checkpoints(tmp_path, identity={"digest": "d", "alpha": 4}).remove_unusable()
    assert list(tmp_path.iterdir()) == []


def test_checkpoints_of_another_recipe_are_refused(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    with pytest.raises(InputError, match="checkpoints of another recipe or data"):
        checkpoints(tmp_path, identity={"digest": "e", "alpha": 8}).remove_unusable()


def test_a_save_that_would_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DiskSpaceError):
        checkpoints(tmp_path, reserve_bytes=10**18).require_room(torch.nn.Linear(2, 2))


def test_what_trains_is_saved_and_loads_back(tmp_path: Path) -> None:
    model, other = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
    model.bias.requires_grad_(False)
    other.bias.requires_grad_(False)
    save_trained(tmp_path / "new", model)
    load_trained(tmp_path / "new", other)
    assert torch.equal(model.weight, other.weight)
    assert not torch.equal(model.bias, other.bias)


@pytest.mark.parametrize("content", [None, b"half"])
def test_weights_that_do_not_load_are_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / TRAINED_FILE).write_bytes(content)
    with pytest.raises(DamagedModelError, match="weights that do not load"):
        load_trained(tmp_path, torch.nn.Linear(2, 3))


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    save_trained(tmp_path, torch.nn.Linear(2, 3))
    with pytest.raises(DamagedModelError, match="tensors of other names or shapes"):
        load_trained(tmp_path, torch.nn.Linear(3, 3))
