"""Background work waits for answers, and is cancelled when something of a higher priority begins."""

from __future__ import annotations

import asyncio

import pytest

from agents.support.concurrency import InterruptedWorkError
from agents.support.priority import Priority, PriorityGate


def test_work_waits_until_nothing_of_a_higher_priority_is_in_progress():
    async def story() -> list[str]:
        gate, seen = PriorityGate(), []

        async def step() -> None:
            await gate.turn(Priority.QUESTION)
            seen.append("step")

        with gate.running(Priority.ANSWER):
            with gate.running(Priority.ANSWER):
                waiting = asyncio.create_task(step())
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            seen.append("answered")
        await waiting
        return seen

    assert asyncio.run(story()) == ["answered", "step"]


def test_an_answer_that_begins_before_the_turn_comes_goes_first():
    async def story() -> bool:
        gate = PriorityGate()
        with gate.running(Priority.ANSWER):
            waiting = asyncio.create_task(gate.turn(Priority.BACKGROUND))
            await asyncio.sleep(0)
        # The waiting task has been woken, and has not run yet.
        with gate.running(Priority.QUESTION):
            for _ in range(3):
                await asyncio.sleep(0)
            early = waiting.done()
        await waiting
        return early

    assert asyncio.run(story()) is False


def test_where_nothing_else_is_asked_the_turn_comes_at_once():
    async def story() -> bool:
        step = asyncio.ensure_future(PriorityGate().turn(Priority.BACKGROUND))
        await asyncio.sleep(0)
        return step.done()

    assert asyncio.run(story())


def test_only_a_higher_priority_blocks():
    gate = PriorityGate()
    with gate.running(Priority.QUESTION):
        assert [gate.blocked(each) for each in Priority] == [False, False, True]
        assert [gate.count(each) for each in Priority] == [0, 1, 0]
        with gate.running(Priority.ANSWER):
            assert [gate.blocked(each) for each in Priority] == [False, True, True]
    assert not any(gate.blocked(each) for each in Priority)


def test_work_is_cancelled_when_something_of_a_higher_priority_begins():
    async def story() -> bool:
        gate, begun, cancelled = PriorityGate(), asyncio.Event(), asyncio.Event()

        async def work() -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise

        async def interrupted() -> None:
            with pytest.raises(InterruptedWorkError):
                await gate.preemptible(Priority.BACKGROUND, work())

        working = asyncio.create_task(interrupted())
        await begun.wait()
        with gate.running(Priority.QUESTION):
            await working
            await cancelled.wait()
        return cancelled.is_set()

    assert asyncio.run(asyncio.wait_for(story(), 10))
