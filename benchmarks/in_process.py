"""A server of this project inside the benchmark's process, so that its engine can be timed and called."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import uvicorn

from agents.core.edition import edition_names, load_edition
from agents.core.schema import Question
from agents.engines.protocol import Engine
from agents.ensemble.loading import LoadedEnsemble
from agents.ensemble.placement import EngineSpec, EnsembleWeights, Open, Place
from benchmarks.clients import LeanClient, LoadClient
from benchmarks.load import Ask
from service.app import create_app
from service.server import reserve_port
from service.settings import load_settings

T = TypeVar("T")
MAX_DIFFERENCE_NATS = 1e-3
"""Bound for two ways that compute the same in float32."""


@dataclass
class BusyClock:
    """Seconds during which at least one call was at work on an engine."""

    busy_s: float = 0.0
    _running: int = 0
    _since: float = 0.0

    async def timed(self, call: Awaitable[T]) -> T:
        now = asyncio.get_running_loop().time
        if not self._running:
            self._since = now()
        self._running += 1
        try:
            return await call
        finally:
            self._running -= 1
            if not self._running:
                self.busy_s += now() - self._since


class TimedEngine:
    """An engine whose scoring is timed by a clock, which it may share with others."""

    def __init__(self, engine: Any, clock: BusyClock) -> None:
        self.engine = engine
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    async def next_token_logprobs(self, *arguments: Any) -> Any:
        return await self._clock.timed(self.engine.next_token_logprobs(*arguments))

    async def continuation_logprobs(self, *arguments: Any) -> Any:
        return await self._clock.timed(self.engine.continuation_logprobs(*arguments))


def require_agreement(ways: str, expected: Iterable[float], found: Iterable[float]) -> float:
    """Return the largest difference of log-probs that two ways computed. Raises RuntimeError when it is too large."""
    largest = 0.0
    for one, other in zip(expected, found, strict=True):
        largest = max(largest, difference := abs(one - other))
        if not difference <= MAX_DIFFERENCE_NATS:
            raise RuntimeError(f"{ways} differ: {other} and {one} nats; expected at most {MAX_DIFFERENCE_NATS}")
    return largest


def with_timed_engines(place: Place, clock: BusyClock) -> Place:
    """Plan as ``place`` does, with every engine timed by ``clock``."""

    async def opened(opener: Open) -> Engine:
        return TimedEngine(await opener(), clock)

    def plan(weights: EnsembleWeights) -> list[EngineSpec]:
        return [replace(spec, openers=[partial(opened, opener) for opener in spec.openers]) for spec in place(weights)]

    return plan


def patient() -> dict[str, Any]:
    """Return settings with the longest limit of all editions, so that no deadline shortens an answer."""
    return {"edition": max(edition_names(), key=lambda name: load_edition(name).answer_seconds), "margin_ms": 0}


@asynccontextmanager
async def served(ensemble: LoadedEnsemble) -> AsyncIterator[Ask]:
    """Serve on a loopback port and yield POST /answer as a function of a question; close the ensemble at the end."""

    async def load(report: Callable[[str], None]) -> LoadedEnsemble:
        return ensemble

    app = create_app(load_settings(**patient(), api_key=None), load)
    with reserve_port("127.0.0.1", 0) as reserved:
        reserved.listen()
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
        running = asyncio.create_task(server.serve([reserved]))
        await app.state.service.settled.wait()
        async with aclosing(LeanClient(*reserved.getsockname())) as http:
            client = LoadClient(http, "")

            async def ask(question: Question) -> None:
                result = await client.answer(question)
                if not result.complete:
                    found = "an answer cut short by its deadline" if result.degraded else f"status {result.status}"
                    raise RuntimeError(f"{found}: its latency says nothing")

            try:
                yield ask
            finally:
                server.should_exit = True
                await running


async def service_added_ms(ask: Ask, clock: BusyClock, todo: Sequence[Question]) -> list[float]:
    """Latency of each request of one client, less the time that the engines worked on it."""
    now = asyncio.get_running_loop().time
    await ask(todo[0])
    added = []
    for question in todo[1:]:
        clock.busy_s, started = 0.0, now()
        await ask(question)
        added.append((now() - started - clock.busy_s) * 1000)
    return added
