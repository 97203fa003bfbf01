"""Two places where PEFT merges wrongly without an error, and that ours is right there.

When a release of PEFT mends one, its first assertion fails and the work around it may go.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from tiny_checkpoint import write_tiny_adapter, write_tiny_checkpoint

from training.merging.factors import read_adapter
from training.merging.merge import merge
from training.merging.options import MergeOptions
from training.support.plain_model import plain_model

MODULE = "model.layers.1.mlp.up_proj"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("traps")
    base = write_tiny_checkpoint(folder / "base")
    write_tiny_adapter(folder / "rslora", base, use_rslora=True)
    write_tiny_adapter(folder / "dora", base, use_dora=True)
    return folder


def base_weight(files: Path) -> Any:
    return plain_model(files / "base").get_submodule(MODULE).weight.detach()


def merged_delta(files: Path, adapter: Path) -> Any:
    """The delta by PEFT's ``merge_and_unload``, which is right for every kind."""
    return plain_model(files / "base", adapter).merge_and_unload().get_submodule(MODULE).weight.detach() - base_weight(
        files
    )


def weighted_by_peft(files: Path, adapter: str) -> Any:
    """The delta of what ``add_weighted_adapter`` makes of one adapter at weight 1: it should be that adapter's."""
    model = plain_model(files / "base", files / adapter)
    model.add_weighted_adapter(["default"], [1.0], "sum", combination_type="cat")
    model.set_adapter("sum")
    return model.merge_and_unload().get_submodule(MODULE).weight.detach() - base_weight(files)


def relative_error(found: Any, wanted: Any) -> float:
    return float((found - wanted).norm() / wanted.norm())


def merge_ours(files: Path, output: Path, adapters: Iterable[str], **options: Any) -> Any:
    merge(files / "base", [files / name for name in adapters], output, MergeOptions(**options))
    return merged_delta(files, output)


def test_add_weighted_adapter_makes_rslora_too_strong_by_the_root_of_the_rank(files: Path, tmp_path: Path) -> None:
    wanted = merged_delta(files, files / "rslora")
    assert relative_error(weighted_by_peft(files, "rslora"), 2.0 * wanted) < 1e-5
    assert relative_error(merge_ours(files, tmp_path / "out", ["rslora"], how="linear"), wanted) < 1e-5


def test_add_weighted_adapter_does_not_give_dora_back(files: Path, tmp_path: Path) -> None:
    wanted = merged_delta(files, files / "dora")
    assert relative_error(weighted_by_peft(files, "dora"), wanted) > 0.1
    # At full rank nothing is cut off, so what differs would be the delta itself.
    assert relative_error(merge_ours(files, tmp_path / "out", ["dora"], how="svd", rank=32), wanted) < 1e-5


@pytest.mark.filterwarnings("ignore:Converting a PEFT adapter to LoRA that is already:UserWarning")
def test_convert_to_lora_drops_the_magnitude_of_dora(files: Path, tmp_path: Path) -> None:
    from peft import convert_to_lora

    wanted = merged_delta(files, files / "dora")
    model = plain_model(files / "base", files / "dora")
    assert model.supports_lora_conversion()
    _, state = convert_to_lora(model, rank=16)
    key = f"base_model.model.{MODULE}"
    converted = state[f"{key}.lora_B.weight"] @ state[f"{key}.lora_A.weight"]
    part = read_adapter(files / "dora").factors[MODULE]
    assert relative_error(converted, part.scaling * part.b @ part.a) < 1e-4
    assert relative_error(converted, wanted) > 0.1
    assert relative_error(merge_ours(files, tmp_path / "out", ["dora"], how="lora", rank=32), wanted) < 1e-5
