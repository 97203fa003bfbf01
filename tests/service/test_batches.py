"""Rows of batches behind single questions."""

from __future__ import annotations

import asyncio

import pytest
from polling import until

from agents.core.deadline import Deadline
from agents.core.errors import BusyError
from service.batches import BatchPlaces, BatchRows

pytestmark = pytest.mark.anyio


class Work:
    """Rows that end when ``done`` is set, and what became of them."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.done = asyncio.Event()

    async def row(self, name: str) -> str:
        self.begun.append(name)
        await self.done.wait()
        return name


def test_places_are_counted_and_given_back() -> None:
    refused = 0

    def count() -> None:
        nonlocal refused
        refused += 1

    places = BatchPlaces(1, count)
    with places.place(), pytest.raises(BusyError, match="1 batches are in progress"):
        places.check()
    with pytest.raises(RuntimeError), places.place():
        raise RuntimeError
    places.check()
    assert refused == 1


async def test_a_row_waits_for_single_questions_until_its_time_runs_out() -> None:
    rows, work = BatchRows(last_s=60.0), Work()
    with rows.single():
        waiting = asyncio.create_task(rows.run(lambda: work.row("waits"), Deadline.after(3600)))
        hurried = asyncio.create_task(rows.run(lambda: work.row("hurries"), Deadline.after(59)))
        await until(lambda: work.begun == ["hurries"])
    await until(lambda: work.begun == ["hurries", "waits"])
    work.done.set()
    assert (await waiting, await hurried) == ("waits", "hurries")


async def test_the_row_that_began_last_is_stopped_first_and_begins_anew() -> None:
    rows, work = BatchRows(last_s=0.0), Work()
    never = Deadline.never()
    tasks = [asyncio.create_task(rows.run(lambda name=name: work.row(name), never)) for name in "abc"]  # type: ignore[misc]
    await until(lambda: work.begun == ["a", "b", "c"])
    with rows.single():
        stopped = rows.stopped_rows()
        await anext(stopped)
        await anext(stopped)
        await stopped.aclose()
        assert work.begun == ["a", "b", "c"]
    await until(lambda: len(work.begun) == 5)
    assert sorted(work.begun[3:]) == ["b", "c"]
    work.done.set()
    assert [await task for task in tasks] == ["a", "b", "c"]


async def test_a_batch_that_is_cancelled_stops_its_rows() -> None:
    rows, work = BatchRows(last_s=0.0), Work()
    task = asyncio.create_task(rows.run(lambda: work.row("a"), Deadline.never()))
    await until(lambda: work.begun == ["a"])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [row async for row in rows.stopped_rows()] == []
