"""A server of this project under load: what it can do, and how it fares when more or less is asked of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from agents.core.schema import Question
from benchmarks.load import AnswerClient, OpenLoop, Outcome, closed_loop, for_seconds, http_client, summary
from benchmarks.reporting import note, percentiles_ms
from benchmarks.serve_processes import Service, in_flight, serving

LEAST_GAIN = 1.05
"""More clients are tried until twice in a row they do not bring this much."""
MOST_CLIENTS = 256


@dataclass(frozen=True)
class Bench:
    """A running service, and all it takes to put load on it."""

    service: Service
    http: httpx.AsyncClient
    client: AnswerClient
    fresh: Iterator[Question]
    limit_s: float
    seeds: Iterator[int]

    async def capacity(self, seconds: float) -> dict[str, Any]:
        """The most complete answers a second, by more and more clients; ``seconds`` for each number of them.

        A number of clients for which an answer is degraded or refused is too many: it ends there and does not count,
        so that the deadline has no part in what is found.
        """
        steps: list[dict[str, Any]] = []
        best, idle, clients = 0.0, 0, 1
        while clients <= MOST_CLIENTS and idle < 2:
            outcomes: list[Outcome] = []

            async def ask(question: Question, kept: list[Outcome] = outcomes) -> None:
                kept.append(await self.client.ask(question))

            def all_complete(kept: list[Outcome] = outcomes) -> bool:
                return all(outcome.complete for outcome in kept)

            found = await closed_loop(ask, for_seconds(self.fresh, seconds, all_complete), clients)
            steps.append(found | {"complete": all_complete()})
            note(f"{clients} clients: {found['questions_per_s']:.2f} questions a second")
            if not all_complete():
                break
            idle = 0 if found["questions_per_s"] >= best * LEAST_GAIN else idle + 1
            best = max(best, found["questions_per_s"])
            clients *= 2
        if not best:
            raise RuntimeError("not even one client at a time gets complete answers in time: there is no capacity")
        return {"questions_per_s": best, "steps": steps}

    def arrivals(self, rate_per_s: float) -> OpenLoop[Question]:
        """Questions at random, the same times for the same seed and the same place in the run."""
        return OpenLoop(self.client.ask, rate_per_s, random.Random(next(self.seeds)))

    async def load(self, rate_per_s: float, seconds: float) -> dict[str, Any]:
        """How the service fares with ``rate_per_s`` arriving for ``seconds``, and how long it takes to drain."""
        loop = asyncio.get_running_loop()
        load = self.arrivals(rate_per_s)
        started = loop.time()
        await load.offer(self.fresh, seconds)
        outcomes, drain_s = await asyncio.gather(load.finish(), self.drain_s())
        return {
            "rate_per_s": rate_per_s,
            "seconds": seconds,
            "drain_s": drain_s,
            "client_lag_ms": percentiles_ms(load.lags_s),
            **summary(outcomes, self.limit_s, loop.time() - started),
        }

    async def drain_s(self) -> float:
        """Seconds until the service has no question in flight. Raises RuntimeError when it takes ten limits."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        while await in_flight(self.http, self.service.url):
            if loop.time() - started > 10 * self.limit_s:
                raise RuntimeError(f"questions were still in flight {10 * self.limit_s:g} s after the load stopped")
            await asyncio.sleep(0.02)
        return loop.time() - started


@asynccontextmanager
async def started(
    ensemble: str, engine: str, fresh: Iterator[Question], seeds: Iterator[int], limit_s: float, **settings: Any
) -> AsyncIterator[Bench]:
    """A service, ready, with ``settings`` over those of the environment."""
    note(f"starting {ensemble} on {engine}")
    async with serving(ensemble, engine, **settings) as service, http_client(timeout_s=limit_s + 30) as http:
        yield Bench(service, http, AnswerClient(http, service.url), fresh, limit_s, seeds)
