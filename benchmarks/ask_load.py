"""Latency of POST /question under load: from a full pool, and from an empty one.

python -m benchmarks.ask_load prints JSON. An `aiac serve` of its own answers clients that never pause; meanwhile
questions are requested over HTTP, of every topic and level by turns. ``pooled``: at random times, from a pool filled
before with as many as are requested. ``cold``: of a new service with an empty pool, every topic and level once, one
after the other. ``sources`` counts where the questions came from; times are of all of them. The pool's file is in the
temporary folder (TMPDIR), so the time includes that disk.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import httpx

from agents.asking.pool.store import QuestionStore
from agents.asking.questioner import Questioner
from agents.core.edition import Edition, edition_names, load_edition
from agents.core.schema import Question
from benchmarks.clients import LeanClient, LoadClient, Poster, RequestResult, http_client
from benchmarks.command_line import argument_parser, note, positive, print_report, run_with_servers
from benchmarks.load import OpenLoop, closed_loop, for_seconds
from benchmarks.reporting import Aims, check_aims, environment, percentiles_ms
from benchmarks.sample_questions import questions
from benchmarks.serve_processes import serving
from puzzles import LEVELS
from service.settings import load_settings

REFUSED_PAUSE_S = 1.0
"""Pause of a client between a refused question and its next one."""

AIMS: Aims = {
    "pooled_p99_ms": ("below", 50.0),
    "pooled_not_in_time": ("at most", 0.0),
    "pooled_not_from_the_pool": ("at most", 0.0),
    "cold_slowest_limits": ("below", 1.0),
    "cold_not_in_time": ("at most", 0.0),
}


@dataclass(frozen=True)
class QuestionLoadOptions:
    """The service, and the requests to it."""

    editions: Sequence[str]
    ensemble: str
    requests: int
    rate_per_s: float
    clients: int
    seed: int


def request_bodies(edition: Edition) -> list[dict[str, str]]:
    """Bodies of requests for every topic and level."""
    topics = Questioner(edition, QuestionStore(None)).topics
    return [{"topic": topic.name, "difficulty": level} for topic in topics for level in LEVELS]


async def fill(edition: Edition, path: Path, capacity: int, seed: int) -> int:
    """Fill a pool's file with ``capacity`` questions of every topic and level; return their number."""
    draw = random.Random(seed)
    store = QuestionStore(path, capacity=capacity)
    questioner = Questioner(edition, store, draw_seed=lambda: draw.getrandbits(62))
    try:
        while await questioner.refill():
            pass
        return sum(row.waiting for row in await store.counts())
    finally:
        await questioner.close()


def kinds_and_latency(results: Sequence[RequestResult], limit_s: float) -> dict[str, Any]:
    """Counts of the kinds that occurred, and the latency of the successful requests."""
    kinds = Counter(result.kind(limit_s) for result in results)
    served_s = [result.latency_s for result in results if result.status == 200]
    degraded = sum(result.degraded for result in results)
    return {
        "requests": len(results),
        "counts": dict(kinds),
        "degraded": degraded,
        "latency_ms": percentiles_ms(served_s),
    }


@dataclass(frozen=True)
class QuestionLoad:
    """Load on the service at ``url``, by an edition's rules: ``poster`` sends it, ``http`` reads the pool's counts."""

    url: str
    http: httpx.AsyncClient
    poster: Poster
    edition: Edition
    options: QuestionLoadOptions

    @asynccontextmanager
    async def answering(self, found: dict[str, Any]) -> AsyncIterator[None]:
        """Run clients that never pause between answers; put their results into ``found``."""
        over = asyncio.Event()
        client = LoadClient(self.poster, self.url)
        results: list[RequestResult] = []

        async def ask(question: Question) -> None:
            results.append(await client.answer(question))
            if results[-1].status != 200:
                await asyncio.sleep(REFUSED_PAUSE_S)

        todo = for_seconds(questions(self.options.seed), math.inf, lambda: not over.is_set())
        load = asyncio.create_task(closed_loop(ask, todo, self.options.clients))
        try:
            yield
        finally:
            over.set()
            await load
            found["answers"] = {
                "clients": self.options.clients,
                **kinds_and_latency(results, self.edition.answer_seconds),
            }

    async def pooled(self, asked: Iterator[Mapping[str, str]]) -> dict[str, Any]:
        """Request ``options.requests`` questions at random times."""
        found: dict[str, Any] = {}
        ask = LoadClient(self.poster, self.url).question
        load = OpenLoop(ask, self.options.rate_per_s, random.Random(self.options.seed))
        async with self.answering(found):
            await load.offer(islice(asked, self.options.requests), math.inf)
            results = await load.finish()
        return {
            "rate_per_s": self.options.rate_per_s,
            **kinds_and_latency(results, self.edition.question_seconds),
            "client_lag_ms": percentiles_ms(load.lags_s),
            "sources": await self.sources(),
            "load_average": os.getloadavg()[0],
            **found,
        }

    async def cold(self, asked: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        """Request questions one after the other."""
        found: dict[str, Any] = {}
        ask = LoadClient(self.poster, self.url).question
        async with self.answering(found):
            results = [await ask(body) for body in asked]
        slowest = max(range(len(asked)), key=lambda place: results[place].latency_s)
        return {
            **kinds_and_latency(results, self.edition.question_seconds),
            "slowest": {**asked[slowest], "seconds": results[slowest].latency_s},
            "sources": await self.sources(),
            **found,
        }

    async def sources(self) -> dict[str, int]:
        """Count questions served since the start of the service, by where they came from."""
        return dict((await self.http.get(f"{self.url}/pool")).raise_for_status().json()["served"])


@asynccontextmanager
async def started(
    options: QuestionLoadOptions, edition: Edition, pool: Path, capacity: int
) -> AsyncIterator[QuestionLoad]:
    settings = {"edition": edition.id, "question_pool": pool, "question_pool_size": capacity}
    async with (
        serving(options.ensemble, "transformers", **settings) as service,
        http_client(timeout_s=60) as http,
        aclosing(LeanClient.to(service.url)) as lean,
    ):
        yield QuestionLoad(service.url, http, lean, edition, options)


async def measure(edition: Edition, options: QuestionLoadOptions) -> dict[str, Any]:
    """Return the report of one edition."""
    bodies = request_bodies(edition)
    capacity = math.ceil(options.requests / len(bodies))
    with tempfile.TemporaryDirectory() as folder:
        async with started(options, edition, Path(folder) / "cold.sqlite", capacity) as load:
            note(f"{edition.id}: an empty pool")
            cold = await load.cold(bodies)
        pool = Path(folder) / "pool.sqlite"
        note(f"{edition.id}: filling a pool")
        waiting = await fill(edition, pool, capacity, options.seed)
        async with started(options, edition, pool, capacity) as load:
            note(f"{edition.id}: asking {options.requests}")
            pooled = await load.pooled(cycle(bodies))
    return {
        "limit_s": edition.question_seconds,
        "pooled": {"waiting_before": waiting, **pooled},
        "cold": cold,
        "aims": check_aims(measured(pooled, cold, edition.question_seconds), AIMS),
    }


def measured(pooled: Mapping[str, Any], cold: Mapping[str, Any], limit_s: float) -> dict[str, float]:
    """Select the measurements that have aims."""
    found = {
        "pooled_not_in_time": pooled["requests"] - pooled["counts"].get("on_time", 0),
        "pooled_not_from_the_pool": pooled["requests"] - pooled["sources"].get("pool", 0),
        "cold_slowest_limits": cold["slowest"]["seconds"] / limit_s,
        "cold_not_in_time": cold["requests"] - cold["counts"].get("on_time", 0),
    }
    return found | ({"pooled_p99_ms": pooled["latency_ms"]["p99"]} if pooled["latency_ms"] else {})


def read_options(arguments: Sequence[str] | None = None) -> QuestionLoadOptions:
    settings = load_settings()
    parser = argument_parser("ask_load", __doc__)
    parser.add_argument("--editions", nargs="+", choices=edition_names(), default=[settings.edition])
    parser.add_argument("--ensemble", default="default", help="name or folder of what answers meanwhile")
    parser.add_argument("--requests", type=positive(int), default=500, help="questions asked of a full pool")
    parser.add_argument("--rate", dest="rate_per_s", type=positive(float), default=5.0, help="of those, a second")
    parser.add_argument("--clients", type=positive(int), default=4, help="clients that wait for answers meanwhile")
    parser.add_argument("--seed", type=int, default=0)
    return QuestionLoadOptions(**vars(parser.parse_args(arguments)))


async def measure_editions(options: QuestionLoadOptions) -> dict[str, Any]:
    return {
        **environment(),
        "seed": options.seed,
        "editions": {name: await measure(load_edition(name), options) for name in options.editions},
    }


def main() -> None:
    print_report(run_with_servers(measure_editions(read_options())))


if __name__ == "__main__":
    main()
