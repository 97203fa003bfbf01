"""The duplicates gate refuses what is like a question that waits or was served."""

from __future__ import annotations

import asyncio

from question_fakes import rejection, unproved

from agents.asking.gates.duplicates import DuplicatesGate
from agents.asking.pool.store import QuestionStore


def test_what_waits_is_refused_only_where_it_matters():
    async def run():
        store = QuestionStore(None)
        waiting, served, new = unproved(1), unproved(2), unproved(3)
        await store.add(waiting)
        await store.serve(served)
        strict, lenient = DuplicatesGate(store), DuplicatesGate(store, served_only=True)
        assert await rejection(strict.check(waiting)) == await rejection(strict.check(served)) == "similar text"
        assert await strict.check(new) == new
        assert await lenient.check(waiting) == waiting
        assert await rejection(lenient.check(served)) == "similar text"
        await store.close()

    asyncio.run(run())
