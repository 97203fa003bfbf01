"""Work gives its result or its error unless the event comes first."""

from __future__ import annotations

import asyncio

import pytest

from agents.support.concurrency import cancel_on


async def never() -> None:
    await asyncio.Event().wait()


def test_work_that_nothing_stops_gives_its_result_or_its_error():
    async def answer() -> int:
        return 42

    async def fail() -> int:
        raise ValueError("no")

    async def story() -> int:
        with pytest.raises(ValueError, match="no"):
            await cancel_on(never, fail())
        return await cancel_on(never, answer())

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
        await cancel_on(never, work())
        await waiting
        return seen

    assert asyncio.run(story()) == ["work", "other"]


def test_a_time_limit_of_the_work_s_own_is_not_taken_for_the_event():
    async def late() -> None:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        asyncio.run(cancel_on(never, late()))
