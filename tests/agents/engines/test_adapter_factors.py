"""Adapters merged by their formula: what PEFT merges, to the last digits; anything unusual is left to PEFT."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from tiny_checkpoint import write_tiny_adapter, write_tiny_checkpoint

from agents.core.errors import DamagedModelError
from agents.engines.adapter_factors import add_factors, read_factors
from agents.engines.torch.engine import load_model, merge_adapter


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("base"))


KINDS = {
    "lora": {},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "ranks": {"rank_pattern": {"q_proj": 2}},
}


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_it_merges_what_peft_merges(options: dict[str, Any], base: Path, tmp_path: Path) -> None:
    adapter = write_tiny_adapter(tmp_path / "adapter", base, **options)
    model, expected = load_model(base, torch.float32), load_model(base, torch.float32)
    factors = read_factors(adapter)
    assert factors is not None
    assert add_factors(model, factors)
    wanted = PeftModel.from_pretrained(expected, str(adapter)).merge_and_unload().state_dict()
    found = model.state_dict()
    assert set(found) == set(wanted)
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-5, atol=1e-6)


def test_in_bfloat16_it_rounds_once(base: Path, tmp_path: Path) -> None:
    adapter = write_tiny_adapter(tmp_path / "adapter", base)
    model = merge_adapter(load_model(base, torch.bfloat16), adapter)
    exact = merge_adapter(load_model(base, torch.float32), adapter)
    name = "model.layers.0.self_attn.q_proj.weight"
    assert model.state_dict()[name].dtype == torch.bfloat16
    # The base was stored in float32 and is rounded as it is loaded, so twice in all.
    torch.testing.assert_close(model.state_dict()[name].float(), exact.state_dict()[name], rtol=0.02, atol=0.02)


@pytest.mark.parametrize(
    "change",
    [
        {"use_qalora": True},
        {"bias": "all"},
        {"modules_to_save": ["lm_head"]},
        {"alpha_pattern": {"q_proj": 2}},
        {"peft_type": "LOHA"},
        {"layer_replication": [[0, 1]]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_not_plainly_one_of_the_three_is_left_to_peft(
    change: dict[str, Any], base: Path, tmp_path: Path
) -> None:
    adapter = write_tiny_adapter(tmp_path / "adapter", base)
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    assert read_factors(adapter) is None


def test_weights_that_cannot_be_read_are_left_to_peft_and_settings_are_refused(base: Path, tmp_path: Path) -> None:
    adapter = write_tiny_adapter(tmp_path / "adapter", base)
    (adapter / "adapter_model.safetensors").write_bytes(b"half a fi")
    assert read_factors(adapter) is None
    with pytest.raises(DamagedModelError, match=r"adapter_config\.json: found no such file"):
        read_factors(tmp_path)


def test_an_adapter_of_another_base_changes_nothing(base: Path, tmp_path: Path) -> None:
    other = write_tiny_checkpoint(tmp_path / "other", hidden_size=64)
    factors = read_factors(write_tiny_adapter(tmp_path / "adapter", other))
    assert factors is not None
    model = load_model(base, torch.float32)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert not add_factors(model, factors)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
