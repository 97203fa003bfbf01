"""POST /question beside answers: how long a question takes that waits in the pool, and one that has to be made.

python -m benchmarks.ask_load prints JSON. An `aiac serve` of its own answers clients that never pause; meanwhile
questions are asked over HTTP, of every topic and level by turns. ``pooled``: at random times, of a pool that was filled
before with as many as are asked for. ``cold``: of a new service whose pool is empty, every topic and level once, one
after the other. ``sources`` says where the questions came from; times are of all of them. The pool's file is in the
temporary folder (TMPDIR): what its disk takes to keep a question as served is part of the time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import signal
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
from benchmarks.load import (
    AnswerClient,
    LeanClient,
    OpenLoop,
    Outcome,
    Poster,
    QuestionClient,
    closed_loop,
    for_seconds,
    http_client,
)
from benchmarks.reporting import (
    Aims,
    judge,
    library_versions,
    machine,
    note,
    percentiles_ms,
    report_alone_on_stdout,
)
from benchmarks.sample_questions import questions
from benchmarks.serve_processes import serving
from puzzles import LEVELS
from service.settings import load_settings

REFUSED_PAUSE_S = 1.0
"""How long a client whose question for an answer was refused waits before its next one."""

AIMS: Aims = {
    "pooled_p99_ms": ("below", 50.0),
    "pooled_not_in_time": ("at most", 0.0),
    "pooled_not_from_the_pool": ("at most", 0.0),
    "cold_slowest_limits": ("below", 1.0),
    "cold_not_in_time": ("at most", 0.0),
}


@dataclass(frozen=True)
class Options:
    """What is asked of which service, and how fast."""

    editions: Sequence[str]
    ensemble: str
    requests: int
    rate_per_s: float
    clients: int
    seed: int


def slots(edition: Edition) -> list[dict[str, str]]:
    """The body of a request for every topic and level."""
    topics = Questioner(edition, QuestionStore(None)).topics
    return [{"topic": topic.name, "difficulty": level} for topic in topics for level in LEVELS]


async def fill(edition: Edition, path: Path, capacity: int, seed: int) -> int:
    """Makes a pool's file, with ``capacity`` questions of every topic and level; returns how many those are."""
    draw = random.Random(seed)
    store = QuestionStore(path, capacity=capacity)
    questioner = Questioner(edition, store, draw_seed=lambda: draw.getrandbits(62))
    try:
        while await questioner.refill():
            pass
        return sum(row.waiting for row in await store.counts())
    finally:
        await questioner.close()


def fared(outcomes: Sequence[Outcome], limit_s: float) -> dict[str, Any]:
    """How many of what kind, and how long those took that got what they asked for."""
    kinds = Counter(outcome.kind(limit_s) for outcome in outcomes)
    served_s = [outcome.latency_s for outcome in outcomes if outcome.status == 200]
    degraded = sum(outcome.degraded for outcome in outcomes)
    return {
        "requests": len(outcomes),
        "counts": dict(kinds),
        "degraded": degraded,
        "latency_ms": percentiles_ms(served_s),
    }


@dataclass(frozen=True)
class Bench:
    """A service at ``url`` under an edition's rules. ``lean`` puts the load on it, ``http`` looks into it."""

    url: str
    http: httpx.AsyncClient
    lean: Poster
    edition: Edition
    options: Options

    @asynccontextmanager
    async def answering(self, found: dict[str, Any]) -> AsyncIterator[None]:
        """Clients whose every next question follows an answer; how they fared is put into ``found``."""
        over = asyncio.Event()
        client = AnswerClient(self.lean, self.url)
        outcomes: list[Outcome] = []

        async def ask(question: Question) -> None:
            outcomes.append(await client.ask(question))
            if outcomes[-1].status != 200:
                await asyncio.sleep(REFUSED_PAUSE_S)

        todo = for_seconds(questions(self.options.seed), math.inf, lambda: not over.is_set())
        load = asyncio.create_task(closed_loop(ask, todo, self.options.clients))
        try:
            yield
        finally:
            over.set()
            await load
            found["answers"] = {"clients": self.options.clients, **fared(outcomes, self.edition.answer_seconds)}

    async def pooled(self, asked: Iterator[Mapping[str, str]]) -> dict[str, Any]:
        """Questions at random times, ``options.requests`` of them."""
        found: dict[str, Any] = {}
        ask = QuestionClient(self.lean, self.url).ask
        load = OpenLoop(ask, self.options.rate_per_s, random.Random(self.options.seed))
        async with self.answering(found):
            await load.offer(islice(asked, self.options.requests), math.inf)
            outcomes = await load.finish()
        return {
            "rate_per_s": self.options.rate_per_s,
            **fared(outcomes, self.edition.question_seconds),
            "client_lag_ms": percentiles_ms(load.lags_s),
            "sources": await self.sources(),
            "load_average": os.getloadavg()[0],
            **found,
        }

    async def cold(self, asked: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        """Questions one after the other."""
        found: dict[str, Any] = {}
        ask = QuestionClient(self.lean, self.url).ask
        async with self.answering(found):
            outcomes = [await ask(body) for body in asked]
        slowest = max(range(len(asked)), key=lambda place: outcomes[place].latency_s)
        return {
            **fared(outcomes, self.edition.question_seconds),
            "slowest": {**asked[slowest], "seconds": outcomes[slowest].latency_s},
            "sources": await self.sources(),
            **found,
        }

    async def sources(self) -> dict[str, int]:
        """Questions served since the start of the service, by where they came from."""
        return dict((await self.http.get(f"{self.url}/pool")).raise_for_status().json()["served"])


@asynccontextmanager
async def started(options: Options, edition: Edition, pool: Path, capacity: int) -> AsyncIterator[Bench]:
    settings = {"edition": edition.id, "question_pool": pool, "question_pool_size": capacity}
    async with serving(options.ensemble, "transformers", **settings) as service, http_client(timeout_s=60) as http:
        address = httpx.URL(service.url)
        async with aclosing(LeanClient(address.host, address.port or 80)) as lean:
            yield Bench(service.url, http, lean, edition, options)


async def measure(edition: Edition, options: Options) -> dict[str, Any]:
    """The report of one edition."""
    bodies = slots(edition)
    capacity = math.ceil(options.requests / len(bodies))
    with tempfile.TemporaryDirectory() as folder:
        async with started(options, edition, Path(folder) / "cold.sqlite", capacity) as bench:
            note(f"{edition.id}: an empty pool")
            cold = await bench.cold(bodies)
        pool = Path(folder) / "pool.sqlite"
        note(f"{edition.id}: filling a pool")
        waiting = await fill(edition, pool, capacity, options.seed)
        async with started(options, edition, pool, capacity) as bench:
            note(f"{edition.id}: asking {options.requests}")
            pooled = await bench.pooled(cycle(bodies))
    return {
        "limit_s": edition.question_seconds,
        "pooled": {"waiting_before": waiting, **pooled},
        "cold": cold,
        "aims": judge(measured(pooled, cold, edition.question_seconds), AIMS),
    }


def measured(pooled: Mapping[str, Any], cold: Mapping[str, Any], limit_s: float) -> dict[str, float]:
    """What there are aims for."""
    found = {
        "pooled_not_in_time": pooled["requests"] - pooled["counts"].get("on_time", 0),
        "pooled_not_from_the_pool": pooled["requests"] - pooled["sources"].get("pool", 0),
        "cold_slowest_limits": cold["slowest"]["seconds"] / limit_s,
        "cold_not_in_time": cold["requests"] - cold["counts"].get("on_time", 0),
    }
    return found | ({"pooled_p99_ms": pooled["latency_ms"]["p99"]} if pooled["latency_ms"] else {})


def read_options(arguments: Sequence[str] | None = None) -> Options:
    settings = load_settings()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ask_load", description=__doc__)
    parser.add_argument("--editions", nargs="+", choices=edition_names(), default=[settings.edition])
    parser.add_argument("--ensemble", default="default", help="name or folder of what answers meanwhile")
    parser.add_argument("--requests", type=int, default=500, help="questions asked of a full pool")
    parser.add_argument("--rate", type=float, default=5.0, help="of those, a second on average")
    parser.add_argument("--clients", type=int, default=4, help="clients that wait for answers meanwhile")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    for name in ("requests", "rate", "clients"):
        if not getattr(given, name) > 0:
            parser.error(f"--{name}: found {getattr(given, name):g}; expected a positive number")
    return Options(given.editions, given.ensemble, given.requests, given.rate, given.clients, given.seed)


def main() -> None:
    # What was started must be ended: an interrupt does that, and a plain SIGTERM would not.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = read_options()
    report: dict[str, Any] = {
        "machine": machine(),
        "versions": library_versions(),
        "seed": options.seed,
        "editions": {},
    }
    with report_alone_on_stdout():
        for name in options.editions:
            report["editions"][name] = asyncio.run(measure(load_edition(name), options))
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
