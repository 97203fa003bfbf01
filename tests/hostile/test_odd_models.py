"""Checkpoints and adapters of other people: what is odd about one is named, and none runs code or takes the machine."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_checkpoint import write_tiny_adapter, write_tiny_checkpoint

from agents.core.errors import DamagedModelError
from agents.engines.adapter_config import read_adapter_config, require_quick_patterns
from agents.engines.tokenizer import ChatTokenizer
from agents.engines.torch.engine import load_model, merge_adapter
from agents.models.checkpoint import (
    checkpoint_sha256,
    read_json_object,
    require_sound_index,
    verified_base_sha256,
    verify_checkpoint,
)
from training.merging.factors import read_adapter

MARK = "CODE_OF_THE_CHECKPOINT_RAN"
NAMES = [f"model.layers.{layer}.self_attn.{kind}_proj" for layer in range(40) for kind in "qkvo"] + ["a" * 40 + "!"]
RUNAWAY = r"(.*a)*(a+)+b|(a|aa)+$"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_tiny_checkpoint(tmp_path / "base")


@pytest.fixture
def adapter(tmp_path: Path, checkpoint: Path) -> Path:
    return write_tiny_adapter(tmp_path / "adapter", checkpoint)


def change_json(file: Path, **fields: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def into_shards(checkpoint: Path) -> dict[str, str]:
    """Split the weights in two and return the index's file name by tensor."""
    tensors = load_file(checkpoint / "model.safetensors")
    names = sorted(tensors)
    halves = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, held in halves.items():
        save_file({name: tensors[name] for name in held}, checkpoint / file, metadata={"format": "pt"})
    (checkpoint / "model.safetensors").unlink()
    weight_map = {name: file for file, held in halves.items() for name in held}
    (checkpoint / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return weight_map


def test_honest_shards_are_known_by_their_hash_and_load(checkpoint: Path) -> None:
    whole = load_model(checkpoint, torch.float32).state_dict()
    into_shards(checkpoint)
    assert checkpoint_sha256(checkpoint) == verified_base_sha256(checkpoint)
    found = load_model(checkpoint, torch.float32).state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in whole.items())


@pytest.mark.parametrize("name", ["../a.safetensors", "/etc/passwd", "sub/a.safetensors", "..", "", "a\\b", "a\x00b"])
def test_a_shard_outside_the_folder_is_refused_by_name(checkpoint: Path, name: str) -> None:
    weight_map = into_shards(checkpoint)
    weight_map[min(weight_map)] = name
    change_json(checkpoint / "model.safetensors.index.json", weight_map=weight_map)
    for check in (require_sound_index, checkpoint_sha256, verified_base_sha256):
        with pytest.raises(DamagedModelError, match=r"index\.json: found the file name"):
            check(checkpoint)


@pytest.mark.parametrize("weight_map", [None, [], "a", {"a": 1}, {"a": None}, {"a": ["a.safetensors"]}])
def test_an_index_of_another_shape_is_refused(checkpoint: Path, weight_map: Any) -> None:
    into_shards(checkpoint)
    change_json(checkpoint / "model.safetensors.index.json", weight_map=weight_map)
    with pytest.raises(DamagedModelError, match="weight_map: found"):
        require_sound_index(checkpoint)


def test_a_shard_or_a_tensor_that_is_missing_is_named(checkpoint: Path) -> None:
    weight_map = into_shards(checkpoint)
    change_json(checkpoint / "model.safetensors.index.json", weight_map={**weight_map, "ghost": "a.safetensors"})
    with pytest.raises(DamagedModelError, match=r"a\.safetensors: found no tensor 'ghost'"):
        require_sound_index(checkpoint)
    (checkpoint / "a.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(DamagedModelError, match=r"a\.safetensors: found unreadable weights"):
        require_sound_index(checkpoint)
    (checkpoint / "a.safetensors").unlink()
    with pytest.raises(DamagedModelError, match=r"a\.safetensors: found no such file"):
        require_sound_index(checkpoint)


def test_an_index_beside_whole_weights_cannot_lead_to_others(checkpoint: Path) -> None:
    file = checkpoint / "model.safetensors.index.json"
    file.write_text(json.dumps({"weight_map": {"x": "model.safetensors"}}))
    with pytest.raises(DamagedModelError, match="no tensor 'x'"):
        checkpoint_sha256(checkpoint)
    (checkpoint / "other.safetensors").write_bytes((checkpoint / "model.safetensors").read_bytes())
    change_json(file, weight_map={"model.norm.weight": "other.safetensors"})
    with pytest.raises(DamagedModelError, match=r"found an index beside model\.safetensors"):
        checkpoint_sha256(checkpoint)


def test_a_record_cannot_lead_out_of_its_folder(checkpoint: Path) -> None:
    outside = checkpoint.parent / "outside"
    outside.write_text("x")
    files = {"../outside": {"bytes": 1, "sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}}
    (checkpoint / "model.json").write_text(json.dumps({"files": files, "source": {"sha256": "0" * 64}}))
    with pytest.raises(DamagedModelError, match="found the file name"):
        verify_checkpoint(checkpoint)


def test_tensors_that_a_checkpoint_lacks_are_named_and_not_made_up(checkpoint: Path) -> None:
    file = checkpoint / "model.safetensors"
    tensors = load_file(file)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(DamagedModelError, match=r"found 1 tensors fewer .*model\.layers\.1\.mlp\.up_proj\.weight"):
        load_model(checkpoint, torch.float32)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_weights_that_are_no_numbers_are_named(checkpoint: Path, adapter: Path, number: float) -> None:
    name = "model.layers.2.self_attn.v_proj.weight"
    file = adapter / "adapter_model.safetensors"
    tensors = load_file(file)
    place = next(iter(tensors))
    tensors[place].view(-1)[-1] = number
    save_file(tensors, file, metadata={"format": "pt"})
    model = load_model(checkpoint, torch.float32)
    for read in (lambda path: merge_adapter(model, path), read_adapter):
        with pytest.raises(DamagedModelError, match=rf"{place}: found NaN or infinity"):
            read(adapter)
    file = checkpoint / "model.safetensors"
    tensors = load_file(file)
    tensors[name].view(-1)[3] = number
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(DamagedModelError, match=rf"{name}: found NaN or infinity"):
        load_model(checkpoint, torch.float32)


def test_code_of_a_checkpoint_is_refused_and_never_run(checkpoint: Path, tmp_path: Path) -> None:
    code = f"open({str(tmp_path / MARK)!r}, 'w')\nclass Evil: pass\n"
    (checkpoint / "modeling_evil.py").write_text(code)
    auto_map = {"AutoConfig": "modeling_evil.Evil", "AutoModelForCausalLM": "modeling_evil.Evil"}
    change_json(checkpoint / "config.json", model_type="evil", architectures=["Evil"], auto_map=auto_map)
    with pytest.raises(DamagedModelError, match=r"auto_map: found an object with 2 keys; expected .* never run"):
        load_model(checkpoint, torch.float32)
    change_json(checkpoint / "tokenizer_config.json", auto_map={"AutoTokenizer": ["modeling_evil.Evil", None]})
    with suppress(DamagedModelError):
        # Whether it loads without that code is the library's to say.
        ChatTokenizer(checkpoint)
    assert not (tmp_path / MARK).exists()


def test_a_checkpoint_of_a_known_kind_needs_no_code_whatever_it_brings(checkpoint: Path) -> None:
    change_json(checkpoint / "config.json", auto_map={"AutoModelForCausalLM": "modeling_evil.Evil"})
    assert load_model(checkpoint, torch.float32)


ODD_TEMPLATES = {
    "raises": "{{ raise_exception('no') }}",
    "is no Jinja": "{% for %}",
    "asks for what is not there": "{{ messages[7]['content'] }}",
    "divides by zero": "{{ 1 // 0 }}",
    "adds text to a number": "{{ 1 + messages[0]['content'] }}",
    "calls itself": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "reaches for Python": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "loops over a huge range": "{% for i in range(10 ** 12) %}x{% endfor %}",
}


@pytest.mark.parametrize("template", ODD_TEMPLATES)
def test_a_template_that_fails_is_one_sentence(checkpoint: Path, template: str) -> None:
    (checkpoint / "chat_template.jinja").write_text(ODD_TEMPLATES[template])
    with pytest.raises(DamagedModelError, match="found a chat template that fails") as caught:
        ChatTokenizer(checkpoint)
    assert len(str(caught.value).splitlines()) == 1


def test_a_template_that_fails_on_some_messages_is_one_sentence(checkpoint: Path) -> None:
    template = (
        "{% if messages[0]['content'] == 'x' %}{{ raise_exception('no') }}{% endif %}{{ messages[0]['content'] }}"
    )
    (checkpoint / "chat_template.jinja").write_text(template)
    tokenizer = ChatTokenizer(checkpoint)
    assert tokenizer.render_chat([{"role": "user", "content": "y"}]) == "y"
    with pytest.raises(DamagedModelError, match="found a chat template that fails"):
        tokenizer.render_chat([{"role": "user", "content": "x"}])


ODD_FIELDS: list[dict[str, Any]] = [
    {"peft_type": None},
    {"peft_type": 5},
    {"r": None},
    {"r": "8"},
    {"r": 0},
    {"r": -1},
    {"r": True},
    {"lora_alpha": "x"},
    {"lora_alpha": None},
    {"lora_alpha": math.nan},
    {"lora_alpha": math.inf},
    {"target_modules": 5},
    {"target_modules": {"a": 1}},
    {"target_modules": [1]},
    {"exclude_modules": [None]},
    {"rank_pattern": [1]},
    {"alpha_pattern": {"a": "b"}},
    {"base_model_name_or_path": ["a"]},
    {"auto_map": {"AutoModel": "evil.Evil"}},
    {"megatron_config": {"a": 1}, "megatron_core": "evil"},
]


@pytest.mark.parametrize("fields", ODD_FIELDS, ids=map(str, ODD_FIELDS))
def test_a_setting_of_another_type_is_named(checkpoint: Path, adapter: Path, fields: dict[str, Any]) -> None:
    change_json(adapter / "adapter_config.json", **fields)
    model = load_model(checkpoint, torch.float32)
    for read in (read_adapter_config, read_adapter, lambda path: merge_adapter(model, path)):
        with pytest.raises(DamagedModelError, match=rf"adapter_config\.json: {next(iter(fields))}: found"):
            read(adapter)


@pytest.mark.parametrize("text", ["", "[]", "null", "5", '"LORA"', "[" * 100_000, "\xff", "{}"])
def test_settings_that_are_no_object_are_one_sentence(checkpoint: Path, adapter: Path, text: str) -> None:
    (adapter / "adapter_config.json").write_text(text, encoding="latin-1")
    model = load_model(checkpoint, torch.float32)
    for read in (read_adapter_config, read_adapter, lambda path: merge_adapter(model, path)):
        with pytest.raises(DamagedModelError, match=r"adapter_config\.json"):
            read(adapter)


def one_dimension(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.flatten() for name, tensor in tensors.items()}


def no_dimension(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return dict.fromkeys(tensors, torch.tensor(1.0)) | {name: torch.tensor(float(i)) for i, name in enumerate(tensors)}


def empty(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor[:0].clone() for name, tensor in tensors.items()}


def whole_numbers(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: torch.zeros((3, 5), dtype=torch.int64) for name in tensors}


@pytest.mark.parametrize("change", [one_dimension, no_dimension, empty, whole_numbers])
def test_factors_of_another_shape_are_one_sentence(
    checkpoint: Path, adapter: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]
) -> None:
    file = adapter / "adapter_model.safetensors"
    save_file(change(load_file(file)), file, metadata={"format": "pt"})
    with pytest.raises(DamagedModelError):
        merge_adapter(load_model(checkpoint, torch.float32), adapter)


@pytest.mark.parametrize("field", ["target_modules", "exclude_modules", "layers_pattern", "rank_pattern"])
def test_a_pattern_that_runs_away_is_stopped_and_named(adapter: Path, field: str) -> None:
    value = {RUNAWAY: 2} if field == "rank_pattern" else RUNAWAY
    change_json(adapter / "adapter_config.json", **{field: value})
    started = time.monotonic()
    with pytest.raises(DamagedModelError, match=rf"{field}.*: found a pattern that takes more than 1 s"):
        require_quick_patterns(adapter, NAMES, seconds=1.0)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "pattern",
    [
        "all-linear",
        r".*\.(q_proj|v_proj)$",
        r"(?:.*?(?:vision|image|visual).*?(?:self_attn|mlp).*?(?:q_proj|k_proj).*?)|"
        r"(?:\bmodel\.layers\.[\d]{1,}\.(?:self_attn|mlp)\.(?:(?:q_proj|k_proj|v_proj|o_proj)))",
        ["q_proj", "v_proj"],
    ],
)
def test_an_honest_pattern_passes(adapter: Path, pattern: Any) -> None:
    change_json(adapter / "adapter_config.json", target_modules=pattern)
    require_quick_patterns(adapter, NAMES)


def test_a_pattern_that_is_none_is_one_sentence(adapter: Path) -> None:
    change_json(adapter / "adapter_config.json", target_modules="(")
    with pytest.raises(DamagedModelError, match="target_modules: found no regular expression"):
        require_quick_patterns(adapter, NAMES)


@pytest.mark.parametrize("data", [b"", b"[]", b"[" * 100_000, b"\xff"])
def test_a_json_file_of_a_checkpoint_that_is_no_object_is_one_sentence(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "config.json").write_bytes(data)
    with pytest.raises(DamagedModelError):
        read_json_object(tmp_path / "config.json")
