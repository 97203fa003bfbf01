"""What vLLM engines need of a GPU, by hand, and which of them are served where not all fit."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from agent_fakes import letter_member
from tiny_checkpoint import write_tiny_checkpoint

from agents.core.errors import InputError
from agents.core.manifest import Member
from agents.engines.vllm.options import VllmOptions
from agents.ensemble.vllm_memory import (
    GRAPH_BYTES_A_LAYER,
    OVERHEAD_BYTES,
    Device,
    need_of,
    plan_memory,
    slot_bytes,
    step_tokens,
    weight_bytes,
)

GIB = 1 << 30
MI300X = Device(False, 192 * GIB)
TINY_PARAMETERS = 44448
"""By hand: 259 tokens x 32 twice, 3 layers of 32 x (32 + 16 + 16 + 32) + 3 x 32 x 64 + 2 x 32, a norm of 32."""
QWEN_72B = {
    "hidden_size": 8192,
    "intermediate_size": 29568,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "vocab_size": 152064,
}
LAYER_72B = [[8192, 8192], [1024, 8192], [1024, 8192], [8192, 8192], [29568, 8192], [29568, 8192], [8192, 29568]]
MATRICES_72B = [*LAYER_72B * 80, [152064, 8192], [152064, 8192]]
EAGER = VllmOptions(enforce_eager=True)


class Planned:
    """An engine as the planner sees it; its weights are headers without numbers behind them."""

    def __init__(
        self,
        folder: Path,
        name: str,
        shapes: Sequence[Sequence[int]],
        *,
        dtype: str = "BF16",
        config: Mapping[str, Any] = {},
        weight: float = 1.0,
        ranks: Mapping[str, dict[str, Any]] = {},
    ) -> None:
        self.name = name
        self.checkpoint = folder / name
        self.checkpoint.mkdir()
        self.members: list[Member] = [letter_member(name, weight=weight)]
        (self.checkpoint / "config.json").write_text(json.dumps(config))
        write_headers(self.checkpoint / "model.safetensors", shapes, dtype)
        self.adapters = {}
        for adapter, adapter_config in ranks.items():
            self.adapters[adapter] = folder / adapter
            self.adapters[adapter].mkdir()
            (self.adapters[adapter] / "adapter_config.json").write_text(json.dumps(adapter_config))


def write_headers(path: Path, shapes: Sequence[Sequence[int]], dtype: str) -> None:
    size = {"BF16": 2, "F8_E4M3": 1, "I32": 4}[dtype]
    header: dict[str, Any] = {}
    end = 0
    for number, shape in enumerate(shapes):
        start, end = end, end + size * math.prod(shape)
        header[f"w{number}"] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)


def sized(folder: Path, name: str, gigabytes: float, **fields: Any) -> Planned:
    return Planned(folder, name, [[round(gigabytes * 1e9 / 2)]], **fields)


def test_weights_are_counted_in_the_precision_they_are_loaded_in(tmp_path: Path) -> None:
    tiny = write_tiny_checkpoint(tmp_path / "tiny")
    assert weight_bytes(tiny, "float32") == 4 * TINY_PARAMETERS
    assert weight_bytes(tiny, "bfloat16") == 2 * TINY_PARAMETERS


@pytest.mark.parametrize(("stored", "size"), [("F8_E4M3", 1), ("I32", 4)])
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_packed_weights_stay_as_they_are_stored(dtype: str, stored: str, size: int, tmp_path: Path) -> None:
    packed = Planned(tmp_path, "packed", [[1000, 300]], dtype=stored)
    assert weight_bytes(packed.checkpoint, dtype) == 300_000 * size


def test_a_slot_of_rank_128_on_72b_is_what_vllm_takes_for_it(tmp_path: Path) -> None:
    # Two factors in 16 bits for each of seven matrices of 80 layers, embeddings and head.
    layers = 2 * 128 * 80 * (4 * (8192 + 8192) // 2 + 2 * (1024 + 8192) + 3 * (29568 + 8192))
    assert layers == pytest.approx(3.4e9, rel=0.01)
    planned = Planned(tmp_path, "base", MATRICES_72B)
    assert slot_bytes(planned.checkpoint, 128) == layers + 2 * 128 * 2 * (152064 + 8192)


def test_slots_graphs_activations_and_the_longest_prompts_are_in_the_sum(tmp_path: Path) -> None:
    ranks = {"lora": {"r": 64}, "rslora": {"r": 64, "rank_pattern": {"q_proj": 100}}}
    planned = Planned(tmp_path, "base", MATRICES_72B, config=QWEN_72B, ranks=ranks)
    need = need_of(planned, "bfloat16", VllmOptions(), MI300X)
    slots = 2 * slot_bytes(planned.checkpoint, 128)
    activations = 16384 * 2 * (2 * 29568 + 4 * 8192)
    logits = 256 * 152064 * 4 * 2
    assert need.beside == OVERHEAD_BYTES + slots + 80 * GRAPH_BYTES_A_LAYER + activations + logits
    assert need.cache == 2 * 4096 * (2 * 2 * 80 * 8 * 128)
    assert need.weights == pytest.approx(145.4e9, rel=0.001)
    assert need_of(planned, "float32", VllmOptions(), MI300X) == need, "vLLM computes adapters in 16 bits only"


def test_what_is_split_over_gpus_counts_its_part(tmp_path: Path) -> None:
    planned = Planned(tmp_path, "base", MATRICES_72B, config=QWEN_72B)
    whole = need_of(planned, "bfloat16", EAGER, MI300X)
    part = need_of(planned, "bfloat16", EAGER.model_copy(update={"tensor_parallel_size": 4}), MI300X)
    assert part.weights == whole.weights // 4
    assert part.cache == GIB
    assert part.beside == whole.beside


@pytest.mark.parametrize(("gib", "tokens"), [(192, 16384), (80, 8192), (24, 2048)])
def test_a_step_is_as_long_as_a_server_would_make_it_on_the_card(gib: int, tokens: int) -> None:
    assert step_tokens(VllmOptions(), Device(False, gib * GIB)) == tokens
    assert step_tokens(VllmOptions(max_num_batched_tokens=512), Device(False, gib * GIB)) == 512


def test_a_gpu_is_split_by_size_up_to_what_may_be_used(tmp_path: Path) -> None:
    small, large = sized(tmp_path, "small", 10), sized(tmp_path, "large", 30)
    plan = plan_memory([small, large], "bfloat16", EAGER, MI300X)
    memory = {name: part for name, part in plan.memory.items() if part is not None}
    assert sum(part.share for part in memory.values()) == pytest.approx(0.9)
    caches = {name: part.cache_bytes or 0 for name, part in memory.items()}
    # What each has beyond the least is as 1 to 3, and its share is all that is counted.
    assert (caches["large"] - GIB) / (caches["small"] - GIB) == pytest.approx(3)
    assert memory["large"].share * MI300X.memory_bytes == pytest.approx(30e9 + OVERHEAD_BYTES + caches["large"])
    assert plan.left_out == {}


def test_what_does_not_fit_beside_heavier_members_is_left_out_with_the_sum(tmp_path: Path) -> None:
    groups = [
        sized(tmp_path, "light", 145.4, weight=0.5),
        sized(tmp_path, "heavy", 145.4, weight=2.0),
        sized(tmp_path, "small", 3.0, weight=0.1),
    ]
    plan = plan_memory(groups, "bfloat16", EAGER, Device(False, 192 * 10**9))
    assert set(plan.memory) == {"heavy", "small"}
    assert list(plan.left_out) == ["light"]
    assert plan.left_out["light"].startswith("left out: needs 147.5 GB (weights in bfloat16 145.4 GB, cache 1.1 GB, ")
    assert plan.left_out["light"].endswith("; found 25.3 GB of a GPU's memory left of 172.8 GB")


def test_where_nothing_fits_the_refusal_does_the_sum(tmp_path: Path) -> None:
    groups = [sized(tmp_path, f"merged{i}", 145.4) for i in range(2)]
    with pytest.raises(InputError) as caught:
        plan_memory(groups, "float32", EAGER, Device(False, 192 * 10**9))
    assert caught.value.field == "ensemble"
    assert "merged0 292.9 GB (weights in float32 290.8 GB" in caught.value.found
    assert "at most 172.8 GB of a GPU's memory" in caught.value.expected


def test_a_machine_without_a_gpu_needs_room_for_every_cache(tmp_path: Path) -> None:
    groups = [sized(tmp_path, "one", 1)]
    assert plan_memory(groups, "float32", VllmOptions(), Device(True, 5 * GIB)).memory == {"one": None}
    with pytest.raises(InputError, match="of free memory"):
        plan_memory(groups, "float32", VllmOptions(cpu_cache_gib=4), Device(True, 5 * GIB))
