"""Coroutines that run at the same time and end together."""

from __future__ import annotations

import asyncio

import pytest

from agents.support.concurrency import cancel_all, run_together


def test_results_come_in_the_order_of_the_work() -> None:
    async def after(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    assert asyncio.run(run_together(map(after, (0.02, 0.0, 0.01)))) == [0.02, 0.0, 0.01]


def test_the_first_failure_cancels_the_others_and_waits_for_their_end() -> None:
    ended = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("hang")

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    async def run() -> list[str]:
        with pytest.raises(ValueError, match="no"):
            await run_together([hang(), fail()])
        return list(ended)

    assert asyncio.run(run()) == ["hang"]


def test_a_task_that_has_failed_already_does_not_raise_again() -> None:
    async def fail() -> None:
        raise ValueError("no")

    async def run() -> bool:
        task = asyncio.create_task(fail())
        await asyncio.wait([task])
        await cancel_all([task])
        return task.done()

    assert asyncio.run(run())
