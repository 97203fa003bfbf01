"""The environment that vLLM is imported in."""

from __future__ import annotations

from agents.engines.vllm.device import UNPINNED, prepare_environment, threads_are_pinned
from agents.engines.vllm.options import VllmOptions


def test_engine_processes_are_spawned_and_threads_are_not_pinned() -> None:
    environment: dict[str, str] = {}
    prepare_environment(VllmOptions(), environment)
    assert environment["VLLM_WORKER_MULTIPROC_METHOD"] == "spawn"
    assert not threads_are_pinned(environment)


def test_what_the_user_has_set_stays() -> None:
    environment = {"VLLM_WORKER_MULTIPROC_METHOD": "forkserver", "VLLM_LOGGING_LEVEL": "INFO"}
    prepare_environment(VllmOptions(), environment)
    assert environment["VLLM_WORKER_MULTIPROC_METHOD"] == "forkserver"
    assert environment["VLLM_LOGGING_LEVEL"] == "INFO"
    assert UNPINNED in environment.values()
