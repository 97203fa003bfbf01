"""Background work starts a step only when no answer is in flight, and ends when somebody comes who waits."""

from __future__ import annotations

import asyncio

import pytest

from agents.support.foreground import POLL_SECONDS, Foreground, InterruptedWorkError, at_once, unless, when_idle


def test_a_step_starts_when_the_last_answer_is_done():
    answers = [2, 1, 0, 9]
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    asyncio.run(when_idle(lambda: answers.pop(0), sleep)())
    assert slept == [POLL_SECONDS, POLL_SECONDS]
    assert answers == [9]


def test_where_nothing_else_is_asked_it_starts_at_once():
    async def story() -> bool:
        step = asyncio.ensure_future(at_once())
        await asyncio.sleep(0)
        return step.done()

    assert asyncio.run(story())


def test_the_foreground_is_busy_until_the_last_one_who_waits_has_gone():
    async def story() -> list[bool]:
        foreground = Foreground()
        seen = [foreground.busy]
        with foreground.waiting():
            with foreground.waiting():
                await foreground.begins()
                seen.append(foreground.busy)
            seen.append(foreground.busy)
        return [*seen, foreground.busy]

    assert asyncio.run(story()) == [False, True, True, False]


def test_work_ends_when_somebody_comes_who_waits():
    async def story() -> bool:
        foreground, begun, cancelled = Foreground(), asyncio.Event(), asyncio.Event()

        async def work() -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise

        async def interrupted() -> None:
            with pytest.raises(InterruptedWorkError):
                await unless(foreground.begins, work())

        working = asyncio.create_task(interrupted())
        await begun.wait()
        with foreground.waiting():
            await working
            await cancelled.wait()
        return cancelled.is_set()

    assert asyncio.run(asyncio.wait_for(story(), 10))


def test_work_that_nothing_stops_gives_its_result_or_its_error():
    async def answer() -> int:
        return 42

    async def fail() -> int:
        raise ValueError("no")

    async def story() -> int:
        with pytest.raises(ValueError, match="no"):
            await unless(Foreground().begins, fail())
        return await unless(Foreground().begins, answer())

    assert asyncio.run(story()) == 42


def test_work_begins_before_anything_else_has_its_turn():
    async def story() -> list[str]:
        seen = []

        async def work() -> None:
            seen.append("work")
            await asyncio.sleep(0)

        async def other() -> None:
            seen.append("other")

        waiting = asyncio.create_task(other())
        await unless(Foreground().begins, work())
        await waiting
        return seen

    assert asyncio.run(story()) == ["work", "other"]


def test_a_time_limit_of_the_work_s_own_is_not_taken_for_the_event():
    async def late() -> None:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        asyncio.run(unless(Foreground().begins, late()))
