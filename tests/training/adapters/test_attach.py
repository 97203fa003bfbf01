"""Adapters on a tiny checkpoint: initialisation, what trains at which rate, and folders that PEFT loads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tiny_checkpoint import write_tiny_checkpoint

from agents.core.errors import FileError, InputError
from agents.support.atomic_folder import staged_folder
from training.adapters import AdapterRecipe, attach_adapter, parameter_groups, save_adapter, trainable_parameters
from training.adapters.storage import portable_name

TYPES = ("lora", "rslora", "dora", "oplora")
PROMPT = list(range(3, 40))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("adapters") / "Tiny")


@pytest.fixture
def load(checkpoint: Path) -> Callable[[], Any]:
    import torch

    from agents.engines.torch.engine import load_model

    return lambda: load_model(checkpoint, torch.float32)


def recipe(kind: str, **changes: Any) -> AdapterRecipe:
    preserve = {"preserve_rank": 5} if kind == "oplora" else {}
    return AdapterRecipe.model_validate({"type": kind, "rank": 4, "alpha": 8, **preserve, **changes})


def trained(model: Any) -> dict[str, Any]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def take_steps(model: Any, used: AdapterRecipe, steps: int = 3) -> Any:
    """A few real optimiser steps on a fixed sequence."""
    import torch

    optimiser = torch.optim.AdamW(parameter_groups(model, used, 0.02))
    tokens = torch.tensor([PROMPT])
    model.train()
    for _ in range(steps):
        optimiser.zero_grad()
        model(tokens, labels=tokens).loss.backward()
        optimiser.step()
    return model.eval()


def logits(model: Any) -> Any:
    import torch

    with torch.inference_mode():
        return model(torch.tensor([PROMPT])).logits


@pytest.mark.parametrize("kind", TYPES)
def test_a_seed_fixes_the_tensors_and_leaves_the_global_random_state(load: Callable[[], Any], kind: str) -> None:
    import torch

    torch.manual_seed(1)
    first = attach_adapter(load(), recipe(kind), seed=7)
    torch.manual_seed(2)
    torch.rand(5)
    before = torch.get_rng_state()
    second = attach_adapter(load(), recipe(kind), seed=7)
    assert torch.equal(torch.get_rng_state(), before)
    other = attach_adapter(load(), recipe(kind), seed=8)
    for name, tensor in trained(first).items():
        assert torch.equal(tensor, trained(second)[name])
    assert any(not torch.equal(tensor, trained(other)[name]) for name, tensor in trained(first).items())


@pytest.mark.parametrize("kind", TYPES)
def test_a_fresh_adapter_changes_nothing_and_only_it_trains(load: Callable[[], Any], kind: str) -> None:
    import torch

    base = logits(load().eval())
    model = attach_adapter(load(), recipe(kind), seed=0)
    assert torch.allclose(logits(model.eval()), base, atol=1e-5)
    assert trained(model)
    assert all("lora_" in name for name in trained(model))


@pytest.mark.parametrize("kind", TYPES)
def test_the_parameters_of_a_dry_run_are_those_that_train(load: Callable[[], Any], kind: str) -> None:
    model = load()
    counted = trainable_parameters(model.config, recipe(kind))
    # By hand: rank · (in + out) for each of seven matrices of three layers, and DoRA's one magnitude an output.
    shapes = [(32, 32), (16, 32), (16, 32), (32, 32), (64, 32), (64, 32), (32, 64)]
    expected = 3 * sum(4 * (out + into) + (out if kind == "dora" else 0) for out, into in shapes)
    attached = attach_adapter(model, recipe(kind), seed=0)
    assert counted == expected == sum(p.numel() for p in trained(attached).values())


def test_magnitudes_of_dora_train_in_a_group_of_their_own(load: Callable[[], Any]) -> None:
    used = recipe("dora", magnitude_lr_ratio=8)
    model = attach_adapter(load(), used, seed=0)
    factors, magnitudes = parameter_groups(model, used, 1e-4, weight_decay=0.1)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert {"magnitude" in names[id(p)] for p in magnitudes["params"]} == {True}
    assert {"magnitude" in names[id(p)] for p in factors["params"]} == {False}
    assert len(factors["params"]) + len(magnitudes["params"]) == len(trained(model))
    assert (factors["lr"], factors["weight_decay"]) == (1e-4, 0.1)
    assert (magnitudes["lr"], magnitudes["weight_decay"]) == (pytest.approx(8e-4), 0.0)
    plain = attach_adapter(load(), recipe("lora"), seed=0)
    assert len(parameter_groups(plain, recipe("lora"), 1e-4)) == 1


@pytest.mark.parametrize("kind", TYPES)
def test_a_trained_adapter_is_saved_so_that_peft_gives_the_same_logits(
    load: Callable[[], Any], tmp_path: Path, kind: str
) -> None:
    import torch
    from peft import PeftModel

    used = recipe(kind)
    model = take_steps(attach_adapter(load(), used, seed=0), used)
    assert not torch.allclose(logits(model), logits(load().eval()), atol=0.05)
    folder = save_adapter(model, tmp_path / "adapter", dtype="float32")
    loaded = PeftModel.from_pretrained(load(), str(folder)).eval()
    assert torch.allclose(logits(loaded), logits(model), atol=1e-4)
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "Tiny"
    assert (config["use_rslora"], config["use_dora"]) == (kind == "rslora", kind == "dora")


def test_the_same_adapter_gives_the_same_bytes_and_replaces_what_was_there(
    load: Callable[[], Any], tmp_path: Path
) -> None:
    folder = tmp_path / "adapter"
    contents = []
    for _ in range(2):
        save_adapter(attach_adapter(load(), recipe("lora"), seed=0), folder, dtype="bfloat16")
        contents.append({file.name: file.read_bytes() for file in sorted(folder.iterdir())})
    assert contents[0] == contents[1]
    assert set(contents[0]) == {"adapter_model.safetensors", "adapter_config.json"}
    assert [file.name for file in tmp_path.iterdir()] == ["adapter"]
    assert str(tmp_path).encode() not in contents[0]["adapter_config.json"]


def test_bfloat16_halves_the_file(load: Callable[[], Any], tmp_path: Path) -> None:
    model = attach_adapter(load(), recipe("lora"), seed=0)
    sizes = [
        (save_adapter(model, tmp_path / dtype, dtype=dtype) / "adapter_model.safetensors").stat().st_size  # type: ignore[arg-type]
        for dtype in ("float32", "bfloat16")
    ]
    parameters = sum(p.numel() for p in trained(model).values())
    assert sizes[0] - sizes[1] == pytest.approx(2 * parameters, rel=0.02)


@pytest.mark.parametrize("targets", [["q_proj", "z_proj"], ["z_proj"], ["lm_head"], ["proj"]])
def test_target_modules_that_do_not_exist_are_named_with_those_that_do(
    load: Callable[[], Any], targets: list[str]
) -> None:
    used = recipe("lora", target_modules=targets)
    message = rf"^target_modules: found {targets[-1]}; expected some of down_proj, gate_proj, k_proj, .*v_proj$"
    with pytest.raises(InputError, match=message):
        attach_adapter(load(), used, seed=0)
    with pytest.raises(InputError, match=message):
        trainable_parameters(load().config, used)


def test_named_target_modules_are_the_only_ones_adapted(load: Callable[[], Any]) -> None:
    model = attach_adapter(load(), recipe("lora", target_modules=["q_proj", "mlp.up_proj"]), seed=0)
    assert {name.split(".lora_")[0].rpartition(".")[2] for name in trained(model)} == {"q_proj", "up_proj"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"type": "lora", "rank": 0, "alpha": 8}, "rank"),
        ({"type": "lora", "rank": 4, "alpha": 0}, "alpha"),
        ({"type": "lora", "rank": 4, "alpha": float("inf")}, "alpha"),
        ({"type": "lora", "rank": 4, "alpha": 8, "dropout": 1.0}, "dropout"),
        ({"type": "qlora", "rank": 4, "alpha": 8}, "type"),
        ({"type": "lora", "rank": 4, "alpha": 8, "target_modules": []}, "target_modules"),
        ({"type": "lora", "rank": 4, "alpha": 8, "colour": "red"}, "colour"),
        ({"type": "lora", "rank": 4, "alpha": 8, "magnitude_lr_ratio": 7}, "magnitude_lr_ratio belongs to dora"),
        ({"type": "dora", "rank": 4, "alpha": 8, "magnitude_lr_ratio": 50}, "magnitude_lr_ratio"),
        ({"type": "dora", "rank": 4, "alpha": 8, "preserve_rank": 8}, "preserve_rank belongs to oplora"),
        ({"type": "oplora", "rank": 4, "alpha": 8, "preserve_rank": None}, "oplora needs a preserve_rank"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        AdapterRecipe.model_validate(fields)


def test_oplora_preserves_sixteen_directions_unless_told_otherwise() -> None:
    assert AdapterRecipe(type="oplora", rank=4, alpha=8).preserve_rank == 16
    assert AdapterRecipe(type="oplora", rank=4, alpha=8, preserve_rank=3).preserve_rank == 3


def test_a_save_that_fails_leaves_the_old_folder_and_nothing_beside_it(tmp_path: Path) -> None:
    final = tmp_path / "adapter"
    final.mkdir()
    (final / "kept").write_text("old")
    with pytest.raises(FileError, match="no space left on device"), staged_folder(final) as staging:
        (staging / "half").write_text("new")
        raise OSError(28, "No space left on device")
    assert (final / "kept").read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["adapter"]


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(FileError, match="expected a folder that can be written"),
        staged_folder(tmp_path / "file" / "x"),
    ):
        pass


@pytest.mark.parametrize(
    ("recorded", "portable"),
    [("/data/models/Tiny", "Tiny"), ("./models/Tiny/", "Tiny"), ("Qwen/Qwen2.5-72B-Instruct",) * 2, ("", "")],
)
def test_of_a_folder_only_its_last_part_is_recorded(recorded: str, portable: str) -> None:
    assert portable_name(recorded) == portable
