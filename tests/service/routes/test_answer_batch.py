"""POST /answers: order, broken rows, deadlines that grow with the place, bounded concurrency."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from service_fakes import PRIOR_LETTER, QUESTION, FakeEngine, running

pytestmark = pytest.mark.anyio


def question(place: int) -> dict[str, Any]:
    """A question whose right choice stands at ``place``."""
    choices = ["London", "Rome", "Madrid"]
    choices.insert(place, "Paris")
    return {"question": "What is the capital of France?", "choices": choices}


PLACES = [2, 0, 3, 1, 1, 0]
ANSWERS = ["CADBBA"[i] for i in range(len(PLACES))]
ROWS = [question(place) for place in PLACES]


@pytest.mark.parametrize(
    "payload",
    [
        ROWS,
        {"questions": ROWS},
        {"geography": ROWS[:2], "capitals": ROWS[2:]},
        [json.dumps(row) for row in ROWS],
        json.dumps(ROWS),
    ],
    ids=["list", "questions", "topics", "json_rows", "json"],
)
async def test_containers_keep_their_order(payload: Any) -> None:
    async with running(batch_concurrency=2) as service:
        body = (await service.client.post("/answers", json=payload)).json()
    assert [answer["answer"] for answer in body["answers"]] == ANSWERS
    assert all(answer.keys() == {"answer", "reasoning"} for answer in body["answers"])
    assert body["errors"] == []


async def test_broken_rows_are_null_and_listed() -> None:
    rows = [ROWS[0], "not json", None, ROWS[1], {"question": "Which?", "choices": ["a"]}, ["x", 5, 0.1]]
    async with running() as service:
        response = await service.client.post("/answers", json=rows, params={"detail": "true"})
    body = response.json()
    assert response.status_code == 200
    assert [answer and answer["answer"] for answer in body["answers"]] == ["C", None, None, "A", None, None]
    assert [error["index"] for error in body["errors"]] == [1, 2, 4, 5]
    assert "choices: found 1 choices" in body["errors"][2]["detail"]
    assert body["answers"][0]["degraded"] is False
    assert {member["name"] for member in body["answers"][0]["members"]} == {"first", "second"}


async def test_one_question_and_none() -> None:
    async with running() as service:
        one = (await service.client.post("/answers", json=QUESTION)).json()
        none = (await service.client.post("/answers", json=[])).json()
    assert [answer["answer"] for answer in one["answers"]] == ["B"]
    assert none == {"answers": [], "errors": []}


@pytest.mark.parametrize("payload", [5, None, True, "text", {"questions": 7}])
async def test_what_holds_no_rows(payload: Any) -> None:
    async with running() as service:
        response = await service.client.post("/answers", content=json.dumps(payload))
    assert (response.status_code, response.json()["field"]) == (422, "questions")


async def test_too_many_questions() -> None:
    async with running(max_batch_questions=3) as service:
        response = await service.client.post("/answers", json=ROWS[:4])
        assert (await service.client.post("/answers", json=ROWS[:3])).status_code == 200
    assert (response.status_code, response.json()["found"]) == (422, "4 questions")


async def test_no_more_than_so_many_at_a_time() -> None:
    engine = FakeEngine(gate=asyncio.Event())
    async with running(engine, batch_concurrency=2) as service:
        batch = asyncio.create_task(service.client.post("/answers", json=ROWS))
        await engine.entered.wait()
        assert service.state.in_flight == 2
        engine.gate.set()
        response = await batch
    assert [answer["answer"] for answer in response.json()["answers"]] == ANSWERS
    assert service.state.in_flight == 0


async def test_the_header_bounds_the_whole_batch() -> None:
    engine = FakeEngine(hanging={"first", "second"})
    async with running(engine, batch_concurrency=1) as service:
        response = await service.client.post(
            "/answers", json=ROWS, params={"detail": "true"}, headers={"X-Deadline-Ms": "100"}
        )
    answers = response.json()["answers"]
    assert {answer["answer"] for answer in answers} == {PRIOR_LETTER}
    assert all(answer["degraded"] and answer["elapsed_ms"] < 2000 for answer in answers)


async def test_question_i_may_take_i_plus_one_limits() -> None:
    # The margin leaves 50 ms of the first 6 s: the first one is cut short, and asked again in the time of the second.
    engine = FakeEngine(gate=asyncio.Event())
    async with running(engine, margin_ms=5950) as service:
        batch = asyncio.create_task(service.client.post("/answers", json=ROWS[:2], params={"detail": "true"}))
        await engine.entered.wait()
        while service.state.in_flight == 2:
            await asyncio.wait([batch], timeout=0.01)
        engine.gate.set()
        first, second = (await batch).json()["answers"]
    assert any(member["probabilities"] for member in first["members"])
    assert 50 < first["elapsed_ms"] < first["deadline_ms"] <= second["deadline_ms"] == pytest.approx(6050)
    assert (second["answer"], second["degraded"]) == ("A", False)
