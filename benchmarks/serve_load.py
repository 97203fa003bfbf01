"""A server of this project under load: its capacity, and its latencies below and above it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from agents.core.schema import Question
from benchmarks.clients import LoadClient, http_client, now_s
from benchmarks.command_line import note
from benchmarks.load import OpenLoop, closed_loop, for_seconds, summary
from benchmarks.reporting import percentiles_ms
from benchmarks.serve_processes import Service, metric, serving

LEAST_GAIN = 1.05
"""The search for the capacity ends when twice in a row doubling the clients gains less than this factor."""
MOST_CLIENTS = 256


@dataclass(frozen=True)
class LoadTest:
    """A running service, with the client and the questions that put load on it."""

    service: Service
    http: httpx.AsyncClient
    client: LoadClient
    fresh: Iterator[Question]
    limit_s: float
    seeds: Iterator[int]

    async def capacity(self, seconds: float) -> dict[str, Any]:
        """Find the most complete answers a second, doubling the clients; ``seconds`` for each number of clients.

        The search ends at a number of clients with a degraded or refused answer. That step does not count, so that the
        deadline has no influence on the capacity.
        """
        steps: list[dict[str, Any]] = []
        best, idle, clients = 0.0, 0, 1
        while clients <= MOST_CLIENTS and idle < 2:
            steps.append(found := await self.closed(clients, seconds))
            note(f"{clients} clients: {found['questions_per_s']:.2f} questions a second")
            if not found["complete"]:
                break
            idle = 0 if found["questions_per_s"] >= best * LEAST_GAIN else idle + 1
            best = max(best, found["questions_per_s"])
            clients *= 2
        if not best:
            raise RuntimeError("not even one client at a time gets complete answers in time: there is no capacity")
        return {"questions_per_s": best, "steps": steps}

    async def closed(self, clients: int, seconds: float) -> dict[str, Any]:
        """Run a closed loop for ``seconds``, or until an answer is not complete."""
        complete = True

        async def ask(question: Question) -> None:
            nonlocal complete
            complete = (await self.client.answer(question)).complete and complete

        found = await closed_loop(ask, for_seconds(self.fresh, seconds, lambda: complete), clients)
        return found | {"complete": complete}

    def arrivals(self, rate_per_s: float) -> OpenLoop[Question]:
        """Random arrivals: the same times for the same seed and the same place in the run."""
        return OpenLoop(self.client.answer, rate_per_s, random.Random(next(self.seeds)))

    async def load(self, rate_per_s: float, seconds: float) -> dict[str, Any]:
        """Results of ``rate_per_s`` arriving for ``seconds``, and how long the service takes to drain."""
        load = self.arrivals(rate_per_s)
        started = now_s()
        await load.offer(self.fresh, seconds)
        results, drain_s = await asyncio.gather(load.finish(), self.drain_s())
        return {
            "rate_per_s": rate_per_s,
            "seconds": seconds,
            "drain_s": drain_s,
            "client_lag_ms": percentiles_ms(load.lags_s),
            **summary(results, self.limit_s, now_s() - started),
        }

    async def drain_s(self) -> float:
        """Seconds until the service has no question in flight. Raises RuntimeError when it takes ten limits."""
        started = now_s()
        while await metric(self.http, self.service.url, "aiac_in_flight"):
            if now_s() - started > 10 * self.limit_s:
                raise RuntimeError(f"questions were still in flight {10 * self.limit_s:g} s after the load stopped")
            await asyncio.sleep(0.02)
        return now_s() - started


@asynccontextmanager
async def started(
    ensemble: str, engine: str, fresh: Iterator[Question], seeds: Iterator[int], limit_s: float, **settings: Any
) -> AsyncIterator[LoadTest]:
    """Start a service and wait until it is ready. ``settings`` override the environment."""
    note(f"starting {ensemble} on {engine}")
    async with serving(ensemble, engine, **settings) as service, http_client(timeout_s=limit_s + 30) as http:
        yield LoadTest(service, http, LoadClient(http, service.url), fresh, limit_s, seeds)
