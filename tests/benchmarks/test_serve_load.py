"""Capacity and overload of a simulated service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import httpx
import psutil
import pytest
from service_replies import answer, client_of, problem
from simulation import run_virtual

from agents.core.errors import BusyError
from benchmarks.clients import LoadClient
from benchmarks.sample_questions import questions
from benchmarks.serve_load import LoadTest
from benchmarks.serve_processes import Service

LIMIT_S = 6.0


class OneAtATime:
    """A service that takes half a second a question, one after the other, and lets in no more than eight."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._turn = asyncio.Lock()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/metrics":
            return httpx.Response(200, text=f"# TYPE aiac_in_flight gauge\naiac_in_flight {float(self.in_flight)}\n")
        if self.in_flight >= 8:
            return problem(BusyError("too much", 1))
        self.in_flight += 1
        async with self._turn:
            await asyncio.sleep(0.5)
        self.in_flight -= 1
        return httpx.Response(200, json=answer())


def on_a_simulated_service(work: Callable[[LoadTest], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        async with client_of(OneAtATime()) as http:
            service = Service("http://service", psutil.Process())
            client = LoadClient(http, service.url)
            return await work(LoadTest(service, http, client, questions(0), LIMIT_S, count()))

    return run_virtual(run())


def test_the_capacity_is_the_most_complete_answers_a_second() -> None:
    found = on_a_simulated_service(lambda test: test.capacity(20.0))
    assert found["questions_per_s"] == pytest.approx(2.0)
    # One client is as fast as two and four, and twice without a gain is enough.
    assert [(step["clients"], step["complete"]) for step in found["steps"]] == [(1, True), (2, True), (4, True)]


def test_twice_the_capacity_is_refused_in_part_and_drains() -> None:
    found = on_a_simulated_service(lambda test: test.load(4.0, 60.0))
    counts = found["counts"]
    assert counts["on_time"] + counts["refused"] == found["questions"]
    # Two a second for sixty seconds, and the eight that are in flight when the load stops.
    assert counts["on_time"] == pytest.approx(128, abs=2)
    assert found["drain_s"] == pytest.approx(4.0, abs=0.6)
    assert found["latency_ms"]["p99"] <= 4_000.001
    assert found["shares"]["answered_by_a_member"] == 1.0


def test_a_service_that_cannot_answer_one_client_has_no_capacity() -> None:
    async def cut_short(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(5.5)
        return httpx.Response(200, json=answer(1, degraded=True))

    async def run() -> None:
        async with client_of(cut_short) as http:
            client = LoadClient(http, "http://service")
            test = LoadTest(Service("http://service", psutil.Process()), http, client, questions(0), LIMIT_S, count())
            await test.capacity(1.0)

    with pytest.raises(RuntimeError, match="not even one client"):
        run_virtual(run())
