"""What tests of the remote engine share: an engine without a model, limits, and ways to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from polling import until

from agents.engines.remote.config import RemoteLimits
from agents.engines.remote.engine import RemoteEngine

PROMPT = [5, 6, 7]
NO_PROBES = RemoteLimits(probe_interval_s=1000, first_backoff_s=1000, max_backoff_s=1000)
"""What is down stays down, so that a test sees it."""
QUICK_PROBES = RemoteLimits(probe_interval_s=0.02, first_backoff_s=0.02, max_backoff_s=0.02)


@dataclass
class FlatEngine:
    """Every log-prob is ``logprob``."""

    logprob: float = -1.0
    wrong: dict[str | None, float] = field(default_factory=dict)
    """Other log-probs, by adapter."""

    async def next_token_logprobs(self, prompt, candidates, adapter=None):
        return [self.wrong.get(adapter, self.logprob)] * len(candidates)

    async def generate(self, prompt, *, adapter=None, **options):
        await asyncio.Event().wait()


@dataclass
class MixingEngine(FlatEngine):
    """Computes a request without an adapter with the one that is busy beside it, as vLLM's CPU back end does.

    A batch is put together for ``batch_s``: alone in it, a request is computed rightly.
    """

    batch_s: float = 0.2
    busy: str | None = None
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def next_token_logprobs(self, prompt, candidates, adapter=None):
        if adapter is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.batch_s):
                    await self.came.wait()
            adapter = self.busy
        return await super().next_token_logprobs(prompt, candidates, adapter)

    async def generate(self, prompt, *, adapter=None, **options):
        self.busy = adapter
        self.came.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.busy = None
            self.came.clear()


async def becomes(condition: Callable[[], bool]) -> None:
    """Returns once the condition holds; fails after ten seconds."""
    await until(condition, guard_s=10, pause_s=0.001)


def ask(engine: RemoteEngine) -> asyncio.Task[list[float]]:
    return asyncio.create_task(engine.next_token_logprobs(PROMPT, [1, 2]))
