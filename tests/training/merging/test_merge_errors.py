"""What a merge refuses: one sentence that names what is wrong, and no output."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_checkpoint import write_tiny_adapter, write_tiny_checkpoint

from agents.core.errors import DamagedModelError, FileError, InputError
from training.merging.factors import read_adapter
from training.merging.merge import merge
from training.merging.options import MergeOptions


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("errors")
    base = write_tiny_checkpoint(folder / "base")
    write_tiny_checkpoint(folder / "wider" / "base", hidden_size=64)
    write_tiny_adapter(folder / "lora", base)
    write_tiny_adapter(folder / "dora", base, use_dora=True)
    return folder


@pytest.fixture
def copy(files: Path, tmp_path: Path) -> Path:
    """A copy of the LoRA to be damaged."""
    import shutil

    return Path(shutil.copytree(files / "lora", tmp_path / "copy"))


def edit_config(folder: Path, **changes: Any) -> None:
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def edit_tensors(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "adapter_model.safetensors")
    change(tensors)
    save_file(tensors, folder / "adapter_model.safetensors")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"how": "magic"}, "how: found 'magic'; expected one of checkpoint, lora"),
        ({"how": "svd", "dtype": "int8"}, "dtype: found 'int8'"),
        ({"how": "svd", "rank": 0}, "rank: found 0; expected at least 1"),
        ({"how": "svd", "rank": 513}, "rank: found 513; expected at most 512, the most vLLM serves"),
        ({"how": "linear", "rank": 8}, "rank: found 8; expected none, for linear is exact"),
        ({"how": "checkpoint", "rank": 8}, "rank: found 8; expected none"),
        ({"how": "ties", "density": 0.0}, "density: found 0.0; expected more than 0"),
        ({"how": "ties", "density": float("nan")}, "density: found nan"),
        ({"how": "ties", "weights": (1.0, 0.0)}, "weights: found 0.0; expected positive weights"),
        ({"how": "linear", "weights": (1.0, float("inf"))}, "weights: found inf; expected finite"),
        ({"how": "lora", "weights": (1.0,)}, "weights: found 1 with lora; expected none"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        MergeOptions(**options)


@pytest.mark.parametrize(
    ("adapters", "options", "message"),
    [
        ([], {"how": "linear"}, "adapters: found none; expected at least one"),
        (["lora", "lora"], {"how": "lora"}, "adapters: found 2; expected one, for lora"),
        (["lora"], {"how": "linear", "weights": (1.0, 2.0)}, "weights: found 2 for 1 adapters"),
        (["lora", "dora"], {"how": "linear"}, "dora: found a DoRA, whose update has no low rank"),
    ],
)
def test_adapters_that_do_not_suit_the_options(
    files: Path, tmp_path: Path, adapters: list[str], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        merge(files / "base", [files / name for name in adapters], tmp_path / "out", MergeOptions(**options))
    assert list(tmp_path.iterdir()) == []


def test_ranks_that_add_up_to_more_than_vllm_serves(files: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="rank: found 516; expected at most 512"):
        merge(files / "base", [files / "lora"] * 129, tmp_path / "out", MergeOptions("linear"))


def test_an_adapter_of_a_base_of_another_shape(files: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"lora: found model\.layers\.0\.mlp\.down_proj of shape \(32, 64\); expected"):
        merge(files / "wider" / "base", [files / "lora"], tmp_path / "out", MergeOptions("lora"))
    assert list(tmp_path.iterdir()) == []


def test_an_adapter_that_records_another_base(files: Path, copy: Path, tmp_path: Path) -> None:
    edit_config(copy, base_model_name_or_path="Qwen/Qwen2.5-72B-Instruct")
    message = "base_model_name_or_path: found Qwen/Qwen2.5-72B-Instruct; expected an adapter of base"
    with pytest.raises(InputError, match=message):
        merge(files / "base", [copy], tmp_path / "out", MergeOptions("lora"))


def test_an_adapter_of_modules_the_base_does_not_have(files: Path, copy: Path, tmp_path: Path) -> None:
    def rename(tensors: dict[str, Any]) -> None:
        for name in [name for name in tensors if "layers.2." in name]:
            tensors[name.replace("layers.2.", "layers.9.")] = tensors.pop(name)

    edit_tensors(copy, rename)
    with pytest.raises(InputError, match=r"a part for model\.layers\.9\..*, which base does not have"):
        merge(files / "base", [copy], tmp_path / "out", MergeOptions("lora"))


def test_a_folder_without_an_adapter(tmp_path: Path) -> None:
    with pytest.raises(DamagedModelError, match=r"adapter_config\.json: found no such file or directory"):
        read_adapter(tmp_path)


def test_damaged_safetensors(copy: Path) -> None:
    file = copy / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(DamagedModelError, match=r"adapter_model\.safetensors: found unreadable weights"):
        read_adapter(copy)
    file.unlink()
    with pytest.raises(DamagedModelError, match=r"adapter_model\.safetensors: found unreadable weights"):
        read_adapter(copy)


def test_weights_that_are_not_numbers(copy: Path) -> None:
    edit_tensors(copy, lambda tensors: next(iter(tensors.values())).fill_(float("nan")))
    with pytest.raises(DamagedModelError, match="found NaN or infinity"):
        read_adapter(copy)


def test_a_module_with_half_of_its_factors(copy: Path) -> None:
    edit_tensors(copy, lambda tensors: tensors.__delitem__(next(name for name in tensors if "lora_A" in name)))
    with pytest.raises(DamagedModelError, match=r": found B; expected lora_A and lora_B"):
        read_adapter(copy)


def test_dora_that_lost_its_magnitudes(copy: Path) -> None:
    edit_config(copy, use_dora=True)
    with pytest.raises(DamagedModelError, match="found A and B; expected lora_A, lora_B and lora_magnitude_vector"):
        read_adapter(copy)


@pytest.mark.parametrize(
    "changes",
    [{"peft_type": "IA3"}, {"bias": "all"}, {"modules_to_save": ["lm_head"]}, {"alpha_pattern": {"q_proj": 4}}],
)
def test_an_adapter_whose_factors_are_not_the_whole_of_it(copy: Path, changes: dict[str, Any]) -> None:
    edit_config(copy, **changes)
    with pytest.raises(InputError, match=next(iter(changes))):
        read_adapter(copy)


def test_a_raw_oplora_training_checkpoint_is_not_taken_for_an_adapter(files: Path, tmp_path: Path) -> None:
    from training.adapters import AdapterRecipe, attach_adapter
    from training.support.plain_model import plain_model

    recipe = AdapterRecipe(type="oplora", rank=2, alpha=4, preserve_rank=3)
    attach_adapter(plain_model(files / "base"), recipe, seed=0).save_pretrained(tmp_path / "raw")
    with pytest.raises(InputError, match="raw factors of an OPLoRA training checkpoint"):
        read_adapter(tmp_path / "raw")


def test_an_output_that_is_there_or_cannot_be_written(files: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    for output in (tmp_path, tmp_path / "file"):
        with pytest.raises(FileError, match="something of that name"):
            merge(files / "base", [files / "lora"], output, MergeOptions("lora"))
    with pytest.raises(FileError, match="expected a folder that can be written"):
        merge(files / "base", [files / "lora"], tmp_path / "file" / "out", MergeOptions("lora"))
    assert (tmp_path / "file").read_text() == "kept"
