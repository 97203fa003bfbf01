"""The pool for an event loop: what happens while its file is of no use, and afterwards."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from question_fakes import rejection, unproved

from agents.asking.pool.pool import QuestionPool
from agents.asking.pool.store import QuestionStore, default_pool_path


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@asynccontextmanager
async def store_at(path, clock=None):
    store = QuestionStore(path, busy_timeout_s=0.01, retry_s=5, clock=clock or Clock())
    try:
        yield store
    finally:
        await store.close()


@contextmanager
def locked(path):
    """As by another process in the middle of a transaction."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        db.execute("ROLLBACK")
        db.close()


def test_while_all_is_well_nothing_is_flagged(tmp_path):
    async def run():
        async with store_at(tmp_path / "pool.sqlite") as store:
            await store.add(unproved(1))
            taken = await store.take("Trivia")
            made = await store.serve(unproved(2))
            assert not taken.degraded
            assert not made.degraded
            assert store.problem is None
            assert await store.served(made.id) == made
            assert [(row.waiting, row.served) for row in await store.counts()] == [(0, 2)]

    asyncio.run(run())


def test_without_a_path_the_pool_is_in_memory_by_choice_and_nothing_is_flagged():
    async def run():
        async with store_at(None) as store:
            assert not (await store.serve(unproved(1))).degraded
            assert await store.duplicate(unproved(1)) == "similar text"

    asyncio.run(run())


@pytest.mark.parametrize("contents", [b"no database " * 100, None], ids=["not a database", "a folder"])
def test_with_a_file_of_no_use_questions_are_served_from_memory_and_flagged(tmp_path, contents, caplog):
    path = tmp_path / "pool.sqlite"
    path.mkdir() if contents is None else path.write_bytes(contents)

    async def run():
        async with store_at(path) as store:
            assert await store.take("Trivia") is None
            await store.add(unproved(1))
            assert (await store.take("Trivia")).degraded
            assert (await store.serve(unproved(2))).degraded
            assert await rejection(store.serve(unproved(2))) == "similar text"
            assert str(path) in store.problem

    asyncio.run(run())
    assert len([record for record in caplog.records if "kept in memory" in record.message]) == 1


def test_while_the_file_is_locked_nothing_from_it_is_served_twice_and_all_is_moved_into_it_afterwards(tmp_path):
    path, clock = tmp_path / "pool.sqlite", Clock()

    async def run():
        async with store_at(path, clock) as store:
            for number in range(3):
                await store.add(unproved(number))
            first = await store.take("Trivia")
            with locked(path):
                assert await store.take("Trivia") is None
                assert "locked" in store.problem
                for number in range(3):
                    assert await rejection(store.serve(unproved(number))) == "similar text"
                made = await store.serve(unproved(7))
                await store.add(unproved(8))
                assert made.degraded
            # Not before the time to retry: a file that fails must not cost every question its time-out.
            assert await store.take("Elsewhere") is None
            assert store.problem is not None
            clock.now += 5
            rest = [await store.take("Trivia") for _ in range(4)]
            assert store.problem is None
            assert rest[3] is None
            assert not rest[0].degraded
            assert len({first.id, made.id, *(each.id for each in rest[:3])}) == 5
            assert (await store.served(made.id)).proposal == made.proposal

    asyncio.run(run())


def test_what_was_served_from_memory_is_in_the_file_after_closing(tmp_path):
    path = tmp_path / "pool.sqlite"

    async def run():
        async with store_at(path) as store:
            await store.add(unproved(1))
            with locked(path):
                return await store.serve(unproved(2))

    made = asyncio.run(run())
    pool = QuestionPool(path)
    assert pool.served(made.id) is not None
    assert pool.counts()[0].waiting == 1
    pool.close()


def test_a_file_that_is_repaired_while_the_service_runs_is_used_from_then_on(tmp_path):
    path, clock = tmp_path / "pool.sqlite", Clock()
    path.write_bytes(b"no database " * 100)

    async def run():
        async with store_at(path, clock) as store:
            made = await store.serve(unproved(1))
            path.unlink()
            clock.now += 5
            assert (await store.served(made.id)).proposal == made.proposal
            assert store.problem is None

    asyncio.run(run())
    assert path.stat().st_size > 0


def test_the_pools_place_comes_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("AIAC_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("AIAC_QUESTION_POOL", raising=False)
    assert default_pool_path() == tmp_path / "questions.sqlite"
    monkeypatch.setenv("AIAC_QUESTION_POOL", "~/mine.sqlite")
    assert default_pool_path() == Path("~/mine.sqlite").expanduser()
