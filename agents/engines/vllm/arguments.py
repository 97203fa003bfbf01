"""The arguments that a vLLM engine is started with, out of a checkpoint, its adapters and the settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.core.errors import DamagedModelError, EngineError
from agents.engines.adapter_config import ADAPTER_CONFIG
from agents.engines.vllm.limits import MAX_CANDIDATES, RANKS
from agents.engines.vllm.options import VllmOptions
from agents.models.checkpoint import read_json_object

CPU_BLOCK_TOKENS = 32
"""What the CPU back end computes best in multiples of."""
ONE_PROCESS = "vllm.v1.executor.uniproc_executor.UniProcExecutor"
"""The executor that computes in the engine's own process, by its path: called "uni", the CPU back end replaces it."""


@dataclass(frozen=True)
class EngineMemory:
    """One engine's part of each GPU: the ``share`` that must be free at its start, and its cache's ``cache_bytes``.

    Without ``cache_bytes`` the cache has what vLLM measures to be left of the share.
    """

    share: float
    cache_bytes: int | None = None


def engine_arguments(
    checkpoint: Path,
    adapters: Mapping[str, Path],
    *,
    dtype: str | None,
    options: VllmOptions,
    memory: EngineMemory | None,
    on_cpu: bool,
    threads_pinned: bool,
) -> dict[str, Any]:
    """The fields of vLLM's AsyncEngineArgs. Raises DamagedModelError for a config.json or adapter that is not one."""
    config = read_json_object(checkpoint / "config.json")
    limit = config.get("max_position_embeddings")
    arguments: dict[str, Any] = {
        "model": str(checkpoint),
        "dtype": dtype or ("float32" if on_cpu else "bfloat16"),
        "load_format": "safetensors",
        "trust_remote_code": False,
        # The checkpoint's own sampling defaults must not reach a score.
        "generation_config": "vllm",
        "max_model_len": min(options.max_model_len, limit) if isinstance(limit, int) else options.max_model_len,
        "max_num_seqs": options.max_num_seqs,
        "max_logprobs": MAX_CANDIDATES,
        "enable_prefix_caching": True,
        "enforce_eager": options.enforce_eager or on_cpu,
        "tensor_parallel_size": options.tensor_parallel_size,
        "pipeline_parallel_size": options.pipeline_parallel_size,
        "data_parallel_size": options.data_parallel_size,
        "use_tqdm_on_load": False,
        "seed": 0,
    }
    if options.max_num_batched_tokens is not None:
        arguments["max_num_batched_tokens"] = options.max_num_batched_tokens
    if options.distributed_executor_backend is not None:
        arguments["distributed_executor_backend"] = options.distributed_executor_backend
    if on_cpu:
        # Of the 128 tokens that are usual there hardly a question would fill a block, and only full ones are shared.
        arguments["block_size"] = CPU_BLOCK_TOKENS
        # A worker of its own takes memory, and it and the scheduler spin for one another on cores that others need.
        if "distributed_executor_backend" not in arguments and not (threads_pinned or _is_split(options)):
            arguments["distributed_executor_backend"] = ONE_PROCESS
    else:
        memory = memory or EngineMemory(options.gpu_memory_utilization)
        arguments["gpu_memory_utilization"] = memory.share
        if memory.cache_bytes is not None:
            arguments["kv_cache_memory_bytes"] = memory.cache_bytes
    if adapters:
        arguments |= {"enable_lora": True, "max_loras": len(adapters), "max_lora_rank": served_rank(adapters)}
    return arguments


def _is_split(options: VllmOptions) -> bool:
    return options.tensor_parallel_size * options.pipeline_parallel_size > 1


def served_rank(adapters: Mapping[str, Path]) -> int:
    """The least rank vLLM takes that holds every adapter's, those of single modules too.

    Raises EngineError for a DoRA adapter, DamagedModelError for an adapter_config.json without such ranks.
    """
    ranks = []
    for name, path in adapters.items():
        config = read_json_object(path / ADAPTER_CONFIG)
        if config.get("use_dora"):
            raise EngineError(f"adapter {name} is a DoRA adapter, which vLLM does not serve; merge it first")
        for field, rank in _ranks(config):
            if not isinstance(rank, int) or not 1 <= rank <= RANKS[-1]:
                raise DamagedModelError(
                    f"{path / ADAPTER_CONFIG}: {field}", repr(rank), f"a rank from 1 to {RANKS[-1]}"
                )
            ranks.append(rank)
    return next(rank for rank in RANKS if rank >= max(ranks))


def _ranks(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The ranks in an adapter's configuration, each with the name of its field."""
    yield "r", config.get("r")
    pattern = config.get("rank_pattern") or {}
    if not isinstance(pattern, dict):
        yield "rank_pattern", pattern
        return
    for module, rank in pattern.items():
        yield f"rank_pattern.{module}", rank
