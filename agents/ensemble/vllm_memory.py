"""How much memory vLLM engines need, and which of them fit together.

Beside the weights an engine on a GPU holds slots for adapters, CUDA or HIP graphs, the activations of one step, and
what its libraries take. All but the weights are estimates from the model's config.json, on the safe side: an engine
with a cache of a stated size does not measure what is left, as it would with a share of the card.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from agents.core.errors import InputError
from agents.core.manifest import Member
from agents.engines.vllm.arguments import EngineMemory, served_rank
from agents.engines.vllm.options import VllmOptions
from agents.models.checkpoint import read_json_object
from agents.models.store import readable_bytes

OVERHEAD_BYTES = 1 << 30
"""What an engine needs beside all that is counted: the device's context, its libraries, what the allocator keeps."""
LEAST_CACHE_BYTES = 1 << 30
"""The least key-value cache an engine is started with on a GPU, however short the prompts."""
LEAST_LONGEST_PROMPTS = 2
"""How many prompts of the greatest length the cache must hold. vLLM refuses a cache that does not hold one."""
GRAPH_BYTES_A_LAYER = 32 << 20
"""Of the graphs that vLLM captures: 1 to 3 GB are reported for models of 32 to 80 layers."""
LARGE_GPU_BYTES, LARGEST_GPU_BYTES = 70 << 30, 160 << 30
"""Memory from which a server of vLLM computes 8,192 and 16,384 tokens a step; below, 2,048 (vLLM 0.32)."""
FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
"""What safetensors calls numbers that are loaded in the engine's precision. All others stay as they are stored."""
STORED_BYTES = {"I64": 8, "U64": 8, "I32": 4, "U32": 4, "I16": 2, "U16": 2}
"""Bytes of one stored number; of those that are not here, FP8 and INT8 among them, 1."""


@dataclass(frozen=True)
class Device:
    """What engines run on. ``memory_bytes`` is that of one GPU, or the free memory of a machine without one.

    ``rank_patterns`` says whether its vLLM scales an adapter's modules by ranks and alphas of their own.
    """

    on_cpu: bool
    memory_bytes: int
    rank_patterns: bool = True


class Planned(Protocol):
    """An engine to plan memory for."""

    @property
    def name(self) -> str: ...
    @property
    def checkpoint(self) -> Path: ...
    @property
    def members(self) -> Sequence[Member]: ...
    @property
    def adapters(self) -> Mapping[str, Path]: ...


@dataclass(frozen=True)
class Need:
    """Bytes an engine needs of each GPU, or of a machine without one."""

    weights: int
    beside: int
    cache: int

    @property
    def total(self) -> int:
        return self.weights + self.beside + self.cache


@dataclass(frozen=True)
class MemoryPlan:
    """Memory by the names of the engines that fit, and the reason by the names of those left out."""

    memory: Mapping[str, EngineMemory | None]
    left_out: Mapping[str, str]


def plan_memory(groups: Sequence[Planned], dtype: str, options: VllmOptions, device: Device) -> MemoryPlan:
    """Give engines memory, those with the most weight in the ensemble first; leave out what does not fit beside them.

    What is left over goes to their caches, by the size of their weights. On a CPU the cache's size is a setting.
    Raises InputError with the arithmetic when none fits.
    """
    usable = round(device.memory_bytes * (1.0 if device.on_cpu else options.gpu_memory_utilization))
    needs = {group.name: need_of(group, dtype, options, device) for group in groups}
    kept: dict[str, Need] = {}
    left_out: dict[str, str] = {}
    for group in sorted(groups, key=lambda group: -sum(member.weight for member in group.members)):
        need = needs[group.name]
        free = usable - sum(each.total for each in kept.values())
        if need.total <= free:
            kept[group.name] = need
        else:
            left_out[group.name] = (
                f"left out: needs {_sum_of(need, dtype)}; found {readable_bytes(max(free, 0))} "
                f"{_where(device)} left of {readable_bytes(usable)}"
            )
    if not kept:
        parts = "; ".join(f"{name} {_sum_of(need, dtype)}" for name, need in needs.items())
        raise InputError(
            "ensemble",
            f"engines that need {parts}",
            f"at most {readable_bytes(usable)} {_where(device)}: smaller members, or more GPUs to split over",
        )
    if device.on_cpu:
        return MemoryPlan(dict.fromkeys(kept), left_out)
    spare = usable - sum(need.total for need in kept.values())
    weights = sum(need.weights for need in kept.values())
    memory: dict[str, EngineMemory | None] = {}
    for name, need in kept.items():
        cache = need.cache + spare * need.weights // weights
        # The share is what vLLM requires to be free when it starts.
        memory[name] = EngineMemory((need.weights + need.beside + cache) / device.memory_bytes, cache)
    return MemoryPlan(memory, left_out)


def need_of(group: Planned, dtype: str, options: VllmOptions, device: Device) -> Need:
    """The least that an engine needs. Raises DamagedModelError for a config.json or adapter that is not one."""
    if device.on_cpu:
        return Need(weight_bytes(group.checkpoint, dtype), OVERHEAD_BYTES, options.cpu_cache_gib << 30)
    dtype = "bfloat16" if group.adapters else dtype
    split = options.tensor_parallel_size * options.pipeline_parallel_size
    config = read_json_object(group.checkpoint / "config.json")
    size = 4 if dtype == "float32" else 2
    beside = (
        OVERHEAD_BYTES + activation_bytes(config, step_tokens(options, device), size) + _logit_bytes(config, options)
    )
    if not options.enforce_eager:
        beside += GRAPH_BYTES_A_LAYER * _number(config, "num_hidden_layers")
    if group.adapters:
        # One half of every slot is on all GPUs that a layer is split over.
        slots = len(group.adapters) * slot_bytes(group.checkpoint, served_rank(group.adapters))
        beside += slots // options.pipeline_parallel_size
    longest = LEAST_LONGEST_PROMPTS * options.max_model_len * cache_bytes_a_token(config, size)
    return Need(weight_bytes(group.checkpoint, dtype) // split, beside, max(LEAST_CACHE_BYTES, longest // split))


def step_tokens(options: VllmOptions, device: Device) -> int:
    """The most tokens of one step: as set, or as a server of vLLM would choose for the device."""
    if options.max_num_batched_tokens is not None:
        return options.max_num_batched_tokens
    if device.memory_bytes >= LARGEST_GPU_BYTES:
        return 16384
    return 8192 if device.memory_bytes >= LARGE_GPU_BYTES else 2048


def activation_bytes(config: Mapping[str, Any], tokens: int, size: int) -> int:
    """What a step of ``tokens`` holds at its widest: a layer's gate and up projections, and four hidden states."""
    return tokens * size * (2 * _number(config, "intermediate_size") + 4 * _number(config, "hidden_size"))


def cache_bytes_a_token(config: Mapping[str, Any], size: int) -> int:
    """Keys and values of one token in all layers."""
    heads = _number(config, "num_attention_heads")
    width = _number(config, "head_dim") or _number(config, "hidden_size") // max(heads, 1)
    return 2 * size * _number(config, "num_hidden_layers") * (_number(config, "num_key_value_heads") or heads) * width


def slot_bytes(checkpoint: Path, rank: int) -> int:
    """One adapter's place in 16 bits: vLLM has two factors of ``rank`` for every matrix, adapted or not."""
    return 2 * rank * sum(sum(shape) for _, shape in _tensors(checkpoint) if len(shape) == 2)


def weight_bytes(checkpoint: Path, dtype: str) -> int:
    """Bytes of a checkpoint's weights once they are loaded as ``dtype``, by the headers of its safetensors files.

    Packed numbers of FP8, AWQ and GPTQ checkpoints stay as they are stored.
    """
    size = 4 if dtype == "float32" else 2
    total = 0
    for stored, shape in _tensors(checkpoint):
        count = 1
        for length in shape:
            count *= length
        total += count * (size if stored in FLOATS else STORED_BYTES.get(stored, 1))
    return total


def _tensors(checkpoint: Path) -> Iterator[tuple[str, list[int]]]:
    """The type and shape of each tensor in a checkpoint's safetensors files."""
    from safetensors import safe_open

    for file in checkpoint.glob("*.safetensors"):
        with safe_open(str(file), framework="np") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - not a dict
                part = tensors.get_slice(name)
                yield part.get_dtype(), part.get_shape()


def _logit_bytes(config: Mapping[str, Any], options: VllmOptions) -> int:
    """Logits and log-probs of a full batch, in float32."""
    return 2 * 4 * options.max_num_seqs * _number(config, "vocab_size")


def _number(config: Mapping[str, Any], name: str) -> int:
    """A number of a config.json, or of its text model where it holds several."""
    text = config.get("text_config")
    value = config.get(name) or (text.get(name) if isinstance(text, dict) else None)
    return value if isinstance(value, int) else 0


def _sum_of(need: Need, dtype: str) -> str:
    return (
        f"{readable_bytes(need.total)} (weights in {dtype} {readable_bytes(need.weights)}, "
        f"cache {readable_bytes(need.cache)}, beside them {readable_bytes(need.beside)})"
    )


def _where(device: Device) -> str:
    return "of free memory" if device.on_cpu else "of a GPU's memory"
