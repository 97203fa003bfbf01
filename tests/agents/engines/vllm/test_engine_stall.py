"""A vLLM that hangs: its own health check is green, so the steps of its scheduler are watched."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agents.core.errors import EngineError
from agents.engines.tokenizer import ChatTokenizer
from agents.engines.vllm.engine import STALL_SECONDS, SchedulerCounters, VllmEngine
from agents.engines.vllm.start import SHUTDOWN_SECONDS

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed"),
]


class HungVllm:
    """Takes requests and never answers; says that it is well."""

    def __init__(self) -> None:
        self.model_config = SimpleNamespace(dtype="torch.bfloat16", max_model_len=64, try_get_generation_config=dict)
        self.asked = asyncio.Event()
        self.patience: float | None = None

    async def generate(self, *args: Any, **fields: Any) -> AsyncIterator[Any]:
        self.asked.set()
        await asyncio.Event().wait()
        yield None

    async def check_health(self) -> None:
        pass

    def shutdown(self, timeout: float | None = None) -> None:
        self.patience = timeout


class Ward:
    """An engine on a vLLM that hangs, and a clock that tests set."""

    def __init__(self) -> None:
        self.vllm = HungVllm()
        self.counters = SchedulerCounters()
        self.now = 0.0
        tokenizer = cast(ChatTokenizer, SimpleNamespace(hf=SimpleNamespace(eos_token_id=None)))
        self.engine = VllmEngine(
            self.vllm, tokenizer, Path(), {}, counters=self.counters, on_cpu=False, clock=lambda: self.now
        )

    async def ask(self) -> asyncio.Task[Any]:
        task = asyncio.create_task(self.engine.generate([1], max_tokens=1))
        await asyncio.wait_for(self.vllm.asked.wait(), 10)
        return task


async def given_up(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def test_an_engine_without_a_step_while_requests_are_open_is_not_well() -> None:
    async def story() -> None:
        ward = Ward()
        ward.now = 10 * STALL_SECONDS  # idle for long: nothing is wrong
        await ward.engine.check_health()
        ward.now = 20 * STALL_SECONDS
        asked = await ward.ask()
        ward.now += STALL_SECONDS
        await ward.engine.check_health()
        ward.counters.steps += 1
        ward.now += STALL_SECONDS
        await ward.engine.check_health()
        ward.now += STALL_SECONDS + 1
        with pytest.raises(EngineError, match=r"hangs: no step in 120 s, with 1 requests open"):
            await ward.engine.check_health()
        await given_up(asked)
        await ward.engine.check_health()

    asyncio.run(story())


def test_an_engine_has_the_time_at_its_end_that_rocm_needs() -> None:
    async def story() -> None:
        ward = Ward()
        await ward.engine.close()
        assert ward.vllm.patience == SHUTDOWN_SECONDS

    asyncio.run(story())
