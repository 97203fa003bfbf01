"""Faults under load: what counts as a failure, recovery, and the growth of memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from simulation import run_virtual

from benchmarks.clients import RequestResult
from benchmarks.serve_faults import fault_summary, mb_per_hour, recovery

LIMIT_S = 6.0


def test_failures_are_counted_apart_from_refusals_and_answers_without_a_vote() -> None:
    results = [
        RequestResult(1.0, 200, degraded=True), RequestResult(1.0, 200, votes=1), RequestResult(0.0, 503, busy=True),
        RequestResult(0.0, 503), RequestResult(0.0, 500), RequestResult(0.0, 0),
    ]  # fmt: skip
    found = fault_summary(results, LIMIT_S, 1.0)
    assert (found["failed_requests"], found["answers_without_a_vote"]) == (3, 1)


def test_recovery_is_timed_from_the_kill_to_the_loss_and_to_the_return() -> None:
    async def run(lost_s: float, back_s: float) -> tuple[float | None, float | None]:
        loop = asyncio.get_running_loop()

        async def ready() -> Mapping[str, bool]:
            return {"one": not lost_s <= loop.time() < back_s, "two": True}

        return await recovery(ready)

    assert run_virtual(run(2.0, 40.0)) == pytest.approx((2.0, 40.0), abs=0.21)
    assert run_virtual(run(2.0, 10_000.0))[1] is None
    assert run_virtual(run(10_000.0, 20_000.0)) == (None, None)


def test_a_service_that_is_not_ready_at_all_has_lost_its_members() -> None:
    async def run() -> tuple[float | None, float | None]:
        replies = iter([{"one": True}, {}, {"one": False}, {"one": True}])

        async def ready() -> Mapping[str, bool]:
            return next(replies)

        return await recovery(ready)

    assert run_virtual(run()) == pytest.approx((0.2, 0.6))


def test_memory_growth_is_the_slope_of_a_line() -> None:
    samples = [{"after_s": 1800.0 * i, "service": 100e6 + 10e6 * i, "engines": 5e8} for i in range(4)]
    assert mb_per_hour(samples, "service") == pytest.approx(20.0)
    assert mb_per_hour(samples, "engines") == pytest.approx(0.0)
    assert mb_per_hour(samples[:1], "service") is None
