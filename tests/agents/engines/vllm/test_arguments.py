"""What a vLLM engine is started with, from a checkpoint and the settings; vLLM itself is not needed to know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agents.core.errors import DamagedModelError
from agents.engines.vllm.arguments import (
    CPU_BLOCK_TOKENS,
    ONE_PROCESS,
    EngineMemory,
    engine_arguments,
    served_rank,
)
from agents.engines.vllm.options import VllmOptions


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text('{"max_position_embeddings": 2048}')
    return tmp_path


def arguments(checkpoint: Path, *, on_cpu: bool, pinned: bool = False, **options: Any) -> dict[str, Any]:
    return engine_arguments(
        checkpoint,
        {},
        dtype=None,
        options=VllmOptions(**options),
        memory=None,
        on_cpu=on_cpu,
        threads_pinned=pinned,
    )


def test_a_cpu_engine_computes_in_its_own_process(checkpoint: Path) -> None:
    found = arguments(checkpoint, on_cpu=True)
    assert found["distributed_executor_backend"] == ONE_PROCESS
    assert found["block_size"] == CPU_BLOCK_TOKENS


@pytest.mark.parametrize(
    "why",
    [{"pinned": True}, {"tensor_parallel_size": 2}, {"pipeline_parallel_size": 2}],
    ids=["pinned threads", "split layers", "spread layers"],
)
def test_a_cpu_engine_that_needs_workers_has_vllms_own_choice(checkpoint: Path, why: dict[str, Any]) -> None:
    assert "distributed_executor_backend" not in arguments(checkpoint, on_cpu=True, **why)


def test_what_the_user_sets_is_what_runs(checkpoint: Path) -> None:
    found = arguments(checkpoint, on_cpu=True, distributed_executor_backend="mp")
    assert found["distributed_executor_backend"] == "mp"


def test_a_gpu_engine_has_vllms_own_choice_and_its_share_of_the_memory(checkpoint: Path) -> None:
    found = arguments(checkpoint, on_cpu=False)
    assert "distributed_executor_backend" not in found
    assert found["gpu_memory_utilization"] == VllmOptions().gpu_memory_utilization


def test_the_context_is_the_models_own_where_that_is_shorter(checkpoint: Path) -> None:
    assert arguments(checkpoint, on_cpu=True, max_model_len=4096)["max_model_len"] == 2048
    assert arguments(checkpoint, on_cpu=True, max_model_len=1024)["max_model_len"] == 1024


def test_a_gpu_engine_has_a_cache_of_the_planned_size(checkpoint: Path) -> None:
    found = engine_arguments(
        checkpoint,
        {},
        dtype=None,
        options=VllmOptions(),
        memory=EngineMemory(0.4, 5 << 30),
        on_cpu=False,
        threads_pinned=False,
    )
    assert found["gpu_memory_utilization"] == 0.4
    assert found["kv_cache_memory_bytes"] == 5 << 30


@pytest.mark.parametrize(
    ("config", "rank"),
    [({"r": 16}, 16), ({"r": 20}, 32), ({"r": 8, "rank_pattern": {"q_proj": 64, "v_proj": 4}}, 64)],
    ids=["a rank vLLM has", "one between", "a module with more"],
)
def test_the_largest_rank_of_any_module_is_served(config: dict[str, Any], rank: int, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    assert served_rank({"tuned": tmp_path}) == rank


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({}, "r"),
        ({"r": "8"}, "r"),
        ({"r": 8, "rank_pattern": {"q_proj": 1024}}, "rank_pattern.q_proj"),
        ({"r": 8, "rank_pattern": [8]}, "rank_pattern"),
    ],
)
def test_an_adapter_without_a_rank_that_vllm_has_is_damaged(config: dict[str, Any], field: str, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(DamagedModelError, match=rf"adapter_config\.json: {field}.* expected a rank from 1 to 512"):
        served_rank({"tuned": tmp_path})
