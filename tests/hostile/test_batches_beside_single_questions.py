"""Batches and slow clients beside single questions: those are on time."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import pytest
from real_server import RealServer, head, real_server
from service_fakes import QUESTION, FakeEngine, ensemble_on, loads
from simulation import QueueEngine

from agents.answering.cost import CostModel
from service.state import Load

pytestmark = pytest.mark.anyio
LIMIT_S = 1.0
SETTINGS = {"margin_ms": 5000}
"""Of the edition's 6 s for an answer, ``LIMIT_S`` is left."""
STEP_S = 0.06
"""Three steps a question: the eight rows of a batch in progress take longer than ``LIMIT_S``."""
SINGLES = 8


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def slow() -> Load:
    """An ensemble on an engine that computes one step after the other, in real time."""
    return loads(ensemble_on(cast(FakeEngine, QueueEngine(step_s=STEP_S)), costs=CostModel()))


async def singles(server: RealServer) -> list[tuple[int, float, int]]:
    """Status, seconds and members' steps of single questions one after the other."""
    found = []
    for _ in range(SINGLES):
        started_s = time.monotonic()
        response = await server.client.post("/answer", json=QUESTION, params={"detail": "true"})
        seconds = time.monotonic() - started_s
        body: dict[str, Any] = response.json()
        found.append((response.status_code, seconds, sum(m["steps_done"] for m in body.get("members", []))))
    return found


async def test_single_questions_beside_a_batch_of_a_thousand_and_slow_clients_are_on_time() -> None:
    async with real_server(slow(), **SETTINGS) as server:
        for _ in range(3):
            assert (await server.client.post("/answer", json=QUESTION)).status_code == 200
        for _ in range(100):
            await server.connect(head("/question", "Content-Length: 100") + b"\r\n{")
            await server.connect(head("/answer", "Content-Length: 100") + b"\r\n{")
        batch = asyncio.create_task(server.client.post("/answers", json=[QUESTION] * 1000))
        while "aiac_in_flight 8.0" not in (await server.client.get("/metrics")).text:
            assert not batch.done()
        found = await singles(server)
        assert not batch.done()
        # The batch goes on in between, and after them.
        while (await server.client.get("/metrics")).text.count('aiac_rungs_total{rung="full"} 0.0'):
            assert not batch.done()
        batch.cancel()
    assert [status for status, _, _ in found] == [200] * SINGLES
    # The referee's clock gives the margin on top.
    assert max(seconds for _, seconds, _ in found) < LIMIT_S + 0.5
    assert all(steps for _, _, steps in found)


async def test_a_row_that_was_stopped_is_answered_later_and_keeps_its_place() -> None:
    async with real_server(slow(), **SETTINGS, batch_concurrency=8) as server:
        assert (await server.client.post("/answer", json=QUESTION)).status_code == 200
        batch = asyncio.create_task(
            server.client.post("/answers", json=[QUESTION, 7, *[QUESTION] * 10], params={"detail": "true"})
        )
        while "aiac_in_flight 8.0" not in (await server.client.get("/metrics")).text:
            assert not batch.done()
        assert (await server.client.post("/answer", json=QUESTION)).status_code == 200
        answers = (await batch).json()["answers"]
    assert answers[1] is None
    assert all(any(member["steps_done"] for member in each["members"]) for each in answers[6:])


async def test_batches_of_answers_are_bounded_and_the_rest_is_told_to_come_back() -> None:
    engine = FakeEngine(gate=asyncio.Event())
    async with real_server(loads(ensemble_on(engine)), max_batches=2) as server:
        # Unfinished bodies take no place.
        for _ in range(3):
            await server.connect(head("/answers", "Content-Length: 100") + b"\r\n{")
        batches = [asyncio.create_task(server.client.post("/answers", json=[QUESTION])) for _ in range(2)]
        while "aiac_in_flight 2.0" not in (await server.client.get("/metrics")).text:
            assert not any(batch.done() for batch in batches)
        refused = await server.client.post("/answers", json=[QUESTION])
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert "AIAC_MAX_BATCHES" in refused.json()["detail"]
        engine.gate.set()
        assert [(await batch).status_code for batch in batches] == [200, 200]
        assert (await server.client.post("/answers", json=[QUESTION])).status_code == 200


async def test_batches_of_questions_are_bounded_as_well() -> None:
    many = {"count": 1000, "difficulty": "easy"}
    async with real_server(max_batches=2) as server:
        batches = {asyncio.create_task(server.client.post("/questions", json=many)) for _ in range(3)}
        done, others = await asyncio.wait(batches, return_when=asyncio.FIRST_COMPLETED)
        assert [batch.result().status_code for batch in done] == [503]
        assert (await server.client.post("/question", json={"difficulty": "easy"})).status_code == 200
        for batch in others:
            batch.cancel()
