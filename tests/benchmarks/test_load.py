"""The closed and the open loop and their summary, in simulated time."""

from __future__ import annotations

import asyncio
import random
from itertools import accumulate, count, islice, takewhile
from typing import Any

import pytest
from simulation import run_virtual

from agents.core.schema import Question
from benchmarks.clients import RequestResult
from benchmarks.load import OpenLoop, closed_loop, for_seconds, summary
from benchmarks.sample_questions import questions

LIMIT_S = 6.0


def test_shares_and_percentiles_are_those_computed_by_hand() -> None:
    answered = [RequestResult(i / 10, 200, votes=1) for i in range(1, 11)]  # 0.1 to 1.0 s
    results = [
        *answered,
        RequestResult(5.0, 200, degraded=True, votes=0),
        RequestResult(7.0, 200, votes=2),
        RequestResult(0.01, 503, busy=True),
        RequestResult(0.01, 503, busy=True),
        RequestResult(0.01, 503),
        RequestResult(0.01, 500),
    ]
    found = summary(results, LIMIT_S, elapsed_s=8.0)
    assert found["questions"] == 16
    assert found["answered_per_s"] == 12 / 8
    # Nearest rank of twelve: the 6th, and twice the 12th.
    assert found["latency_ms"] == pytest.approx({"p50": 600, "p95": 7000, "p99": 7000})
    assert found["counts"] == {
        "on_time": 11, "late": 1, "refused": 2, "unavailable": 1, "server_error": 1, "failed": 0
    }  # fmt: skip
    assert found["shares"] == {
        "on_time": 11 / 16, "late": 1 / 16, "refused": 2 / 16, "unavailable": 1 / 16, "server_error": 1 / 16,
        "failed": 0, "degraded": 1 / 16, "answered_by_a_member": 10 / 14,
    }  # fmt: skip


def test_a_load_in_which_nothing_was_answered_has_no_latency() -> None:
    found = summary([RequestResult(0.0, 503, busy=True)], LIMIT_S, elapsed_s=1.0)
    assert found["latency_ms"] is None
    assert found["shares"]["answered_by_a_member"] is None
    assert found["shares"]["refused"] == 1.0


def test_a_closed_loop_asks_every_question_once_and_never_more_than_its_clients_at_a_time() -> None:
    asked: list[Question] = []
    running = most = 0

    async def ask(question: Question) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        asked.append(question)
        await asyncio.sleep(0)
        running -= 1

    todo = list(islice(questions(0), 20))
    report = asyncio.run(closed_loop(ask, todo, 4))
    assert asked == todo
    assert most == 4
    assert (report["questions"], report["clients"]) == (20, 4)
    assert set(report["latency_ms"]) == {"p50", "p95", "p99"}


def test_a_closed_loop_for_seconds_asks_until_they_are_over_and_counts_every_answer() -> None:
    async def half_a_second(question: Question) -> None:
        await asyncio.sleep(0.5)

    async def run() -> dict[str, Any]:
        return await closed_loop(half_a_second, for_seconds(questions(0), 10.0), 4)

    found = run_virtual(run())
    assert found["questions"] == 80
    assert found["questions_per_s"] == pytest.approx(8.0)
    assert found["latency_ms"] == pytest.approx({"p50": 500, "p95": 500, "p99": 500})


def test_a_closed_loop_ends_early_when_it_is_told_to() -> None:
    seen: list[Question] = []

    async def ask(question: Question) -> None:
        seen.append(question)
        await asyncio.sleep(1.0)

    async def run() -> None:
        await closed_loop(ask, for_seconds(questions(0), 100.0, lambda: len(seen) < 3), 1)

    run_virtual(run())
    assert len(seen) == 3


def arrivals(seed: int, rate_per_s: float, seconds: float) -> list[float]:
    """The times of a Poisson process, the sums of exponential gaps."""
    draw = random.Random(seed)
    return list(takewhile(lambda at: at < seconds, accumulate(draw.expovariate(rate_per_s) for _ in count())))


def test_an_open_loop_asks_at_the_times_drawn_whether_or_not_anything_is_answered() -> None:
    asked_at: list[float] = []

    async def run() -> list[RequestResult]:
        loop, released = asyncio.get_running_loop(), asyncio.Event()

        async def ask(question: Question) -> RequestResult:
            asked_at.append(loop.time())
            await released.wait()
            return RequestResult(0.0, 200)

        load = OpenLoop(ask, 2.0, random.Random(7))
        await load.offer(questions(0), 30.0)
        assert loop.time() == pytest.approx(30.0)
        released.set()
        return await load.finish()

    results = run_virtual(run())
    due = arrivals(7, 2.0, 30.0)
    assert asked_at == pytest.approx(due)
    assert [result.latency_s for result in results] == pytest.approx([30.0 - at for at in due])


def test_an_open_loop_that_is_cancelled_keeps_what_it_asked() -> None:
    async def run() -> int:
        async def ask(question: Question) -> RequestResult:
            await asyncio.sleep(1.0)
            return RequestResult(1.0, 200)

        load = OpenLoop(ask, 5.0, random.Random(1))
        offering = asyncio.create_task(load.offer(questions(0), float("inf")))
        await asyncio.sleep(10.0)
        offering.cancel()
        return len(await load.finish())

    assert run_virtual(run()) == len(arrivals(1, 5.0, 10.0))
