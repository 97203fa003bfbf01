"""The benchmark of questions beside answers: in simulated time, and once for real on a tiny model."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import accumulate, cycle
from pathlib import Path
from typing import Any

import httpx
import pytest
from service_replies import client_of, problem
from simulation import run_virtual

from agents.core.edition import load_edition
from agents.core.errors import BusyError
from benchmarks.ask_load import (
    AIMS,
    REFUSED_PAUSE_S,
    QuestionLoad,
    QuestionLoadOptions,
    measure,
    measured,
    read_options,
    request_bodies,
)

EDITION = load_edition("oct2025_aiac")
OPTIONS = QuestionLoadOptions([EDITION.id], "default", requests=40, rate_per_s=5.0, clients=4, seed=3)
BODIES = request_bodies(EDITION)


class SimulatedService:
    """Answers after a second, unless it refuses; questions take what ``seconds`` says of the topic and level."""

    def __init__(self, seconds: Callable[[dict[str, str]], float], refuses: bool = False) -> None:
        self.asked: Counter[str] = Counter()
        self.answered = 0
        self._seconds, self._refuses = seconds, refuses

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/pool":
            return httpx.Response(200, json={"served": {"pool": self.asked.total()}})
        body = json.loads(request.content)
        if request.url.path == "/question":
            self.asked[body["difficulty"]] += 1
            await asyncio.sleep(self._seconds(body))
            return httpx.Response(200, json={"degraded": False})
        self.answered += 1
        if self._refuses:
            return problem(BusyError("too much", 2))
        await asyncio.sleep(1.0)
        return httpx.Response(200, json={"degraded": False, "members": []})


def on_simulated(
    service: SimulatedService, work: Callable[[QuestionLoad], Awaitable[dict[str, Any]]]
) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        async with client_of(service) as http:
            return await work(QuestionLoad("http://service", http, http, EDITION, OPTIONS))

    return run_virtual(run())


def test_as_many_questions_are_asked_as_wanted_by_turns_while_clients_are_answered() -> None:
    service = SimulatedService(lambda body: 0.02 if body["difficulty"] == "easy" else 0.01)
    found = on_simulated(service, lambda load: load.pooled(cycle(BODIES)))
    assert found["requests"] == found["counts"]["on_time"] == 40
    assert set(service.asked.values()) <= {40 // 3, 40 // 3 + 1}
    assert found["latency_ms"] == pytest.approx({"p50": 10, "p95": 20, "p99": 20})
    assert found["sources"] == {"pool": 40}
    # Four clients and a second an answer, until the last question has come.
    draw = random.Random(OPTIONS.seed)
    *_, last_s = accumulate(draw.expovariate(OPTIONS.rate_per_s) for _ in range(40))
    assert found["answers"]["requests"] == 4 * (int(last_s) + 1)
    assert found["answers"]["latency_ms"]["p50"] == pytest.approx(1000)


def test_a_client_whose_answer_is_refused_waits_before_it_asks_again() -> None:
    service = SimulatedService(lambda body: 10 * REFUSED_PAUSE_S / len(BODIES), refuses=True)
    found = on_simulated(service, lambda load: load.cold(BODIES))
    assert found["answers"]["counts"] == {"refused": service.answered}
    assert service.answered == OPTIONS.clients * 10
    assert found["answers"]["latency_ms"] is None


def test_of_a_cold_service_the_slowest_question_is_named() -> None:
    slow = BODIES[4]
    found = on_simulated(SimulatedService(lambda body: 3.0 if body == slow else 0.1), lambda load: load.cold(BODIES))
    assert found["slowest"] == {**slow, "seconds": pytest.approx(3.0)}
    assert found["requests"] == len(BODIES)


def test_there_is_a_body_for_every_topic_and_level() -> None:
    topics = {topic for names in EDITION.topics.values() for topic in names}
    assert {(body["topic"], body["difficulty"]) for body in BODIES} == {
        (topic, level) for topic in topics for level in ("easy", "medium", "hard")
    }


def test_what_there_are_aims_for() -> None:
    pooled = {"requests": 10, "counts": {"on_time": 9, "late": 1}, "sources": {"pool": 8, "fresh": 2}}
    cold = {"requests": 6, "counts": {"on_time": 6}, "slowest": {"seconds": 2.5}}
    found = measured({**pooled, "latency_ms": {"p99": 12.0}}, cold, 10.0)
    assert found == {
        "pooled_p99_ms": 12.0,
        "pooled_not_in_time": 1,
        "pooled_not_from_the_pool": 2,
        "cold_slowest_limits": 0.25,
        "cold_not_in_time": 0,
    }
    assert set(found) == set(AIMS)
    assert "pooled_p99_ms" not in measured({**pooled, "latency_ms": None}, cold, 10.0)


def test_the_report_of_a_real_service_is_json_and_every_question_came_from_the_pool(tiny_ensemble: Path) -> None:
    options = replace(OPTIONS, ensemble=str(tiny_ensemble), requests=12, rate_per_s=50.0, clients=2)
    report = asyncio.run(measure(EDITION, options))
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["pooled"]["waiting_before"] == report["pooled"]["requests"] == 12
    assert report["pooled"]["sources"] == {"pool": 12}
    assert sum(report["cold"]["sources"].values()) == len(BODIES)
    assert report["pooled"]["answers"]["counts"]["on_time"] > 0
    assert set(report["aims"]) == set(AIMS)


def test_a_load_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert read_options(["--requests", "7"]).requests == 7
    with pytest.raises(SystemExit):
        read_options(["--rate", "0"])
    assert "--rate: found 0; expected a positive number" in capsys.readouterr().err
