"""POST /question and its kin: proved questions over HTTP, from a pool that fills while no answer is waiting."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from service_fakes import FakeEngine, ensemble_on, loads, running

import puzzles
from agents.asking.pool.store import QuestionStore
from agents.core.edition import load_edition
from agents.core.rules import filter_questions
from agents.core.token_estimate import estimate_tokens
from service.admission import MAX_WAITING
from service.app import create_app
from service.questioner import FillingProcess, make_questioner
from service.settings import load_settings

pytestmark = pytest.mark.anyio
FEBRUARY = load_edition("feb2026_iitd")


async def test_a_question_passes_the_organisers_filter_and_its_key_is_proved_on_request():
    async with running(edition="feb2026_iitd") as service:
        plain = (await service.client.post("/question", json={})).json()
        assert set(plain) == {"topic", "question", "choices", "answer", "explanation"}
        assert filter_questions([plain], estimate_tokens, FEBRUARY) == [plain]
        detailed = (await service.client.post("/question?detail=true", json={"difficulty": "easy"})).json()
        assert detailed["level"] == "easy"
        assert detailed["degraded"] is False
        proof = (await service.client.get(f"/question/{detailed['id']}/proof")).json()
        puzzle = puzzles.Puzzle.from_json(proof)
        puzzles.verify(puzzle)
        assert detailed["choices"]["ABCD".index(detailed["answer"])][3:] == puzzle.choices[puzzle.key]


async def test_an_empty_body_asks_for_any_question_and_topics_take_turns():
    async with running(edition="feb2026_iitd") as service:
        topics = [(await service.client.post("/question")).json()["topic"] for _ in range(4)]
    assert sorted(topics) == sorted(name for names in FEBRUARY.topics.values() for name in names)


@pytest.mark.parametrize("path", ["/question", "/questions", "/generate_question"])
async def test_a_body_of_white_space_is_no_json(path: str):
    async with running() as service:
        response = await service.client.post(path, content=b" \n")
    assert response.status_code == 422
    assert response.json()["detail"].startswith("body: found no body; expected JSON")


async def test_a_topic_in_another_spelling_and_a_number_for_the_difficulty_are_met():
    async with running() as service:
        asked = {"topic": "puzzles/seating arrangements (linear, circular)", "difficulty": 5}
        found = (await service.client.post("/question?detail=true", json=asked)).json()
    assert found["topic"] == "Seating Arrangements (Linear, Circular)"
    assert abs(found["difficulty"] - 5) <= 0.5


async def test_a_seed_gives_the_same_question_in_every_fresh_service_and_another_one_the_second_time():
    told = []
    for _ in range(2):
        async with running() as service:
            told.append([(await service.client.post("/question", json={"seed": 5})).json() for _ in range(2)])
    assert told[0] == told[1]
    assert told[0][0]["question"] != told[0][1]["question"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ([], "body"),
        ({"topic": "astrology"}, "topic"),
        ({"topic": 5}, "topic"),
        ({"difficulty": "deadly"}, "difficulty"),
        ({"difficulty": 4000}, "difficulty"),
        ({"seed": -1}, "seed"),
        ({"seed": True}, "seed"),
    ],
)
async def test_what_cannot_be_asked_for_is_one_sentence_that_names_the_field(asked: Any, field: str):
    async with running() as service:
        response = await service.client.post("/question", json=asked)
    assert response.status_code == 422
    assert response.json()["field"] == field


async def test_a_batch_has_as_many_as_asked_for_and_no_two_alike():
    async with running() as service:
        found = (await service.client.post("/questions", json={"count": 12, "difficulty": "easy"})).json()
        assert found["detail"] is None
        assert len({row["question"] for row in found["questions"]}) == 12
        assert (await service.client.post("/questions", json={"num_questions": 0})).json()["questions"] == []
        for wrong in ({}, {"count": -1}, {"count": 1001}):
            assert (await service.client.post("/questions", json=wrong)).json()["field"] == "count"


async def test_the_alias_has_the_other_team_s_shape():
    async with running() as service:
        found = (await service.client.post("/generate_question", json={})).json()
    assert set(found) == {"question", "choices", "correct_answer", "generation_time"}
    assert list(found["choices"]) == ["A", "B", "C", "D"]
    assert found["correct_answer"] in found["choices"]


async def test_more_than_can_wait_for_questions_are_refused_and_those_that_wait_are_served():
    async with running() as service:
        several = [service.client.post("/question", json={"difficulty": "easy"}) for _ in range(3 * MAX_WAITING)]
        responses = await asyncio.gather(*several)
        told = [response.json() for response in responses if response.status_code == 200]
        refused = [response for response in responses if response.status_code != 200]
        after = await service.client.post("/question", json={"difficulty": "easy"})
    assert len(told) >= MAX_WAITING
    assert len({row["question"] for row in told}) == len(told)
    assert refused
    for response in refused:
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert response.json()["detail"] == f"{MAX_WAITING} requests wait for questions already; try again in 1 s"
    assert after.status_code == 200


async def test_the_proof_of_what_was_never_served_is_not_found():
    async with running() as service:
        response = await service.client.get("/question/nonsense/proof")
    assert response.status_code == 404


async def test_questions_are_asked_while_the_ensemble_still_loads():
    async def never(report: Any) -> Any:
        await asyncio.Event().wait()

    async with running(load=never, settled=False) as service:
        assert (await service.client.post("/answer", json={})).status_code == 503
        assert (await service.client.post("/question", json={})).status_code == 200


async def test_the_pool_fills_in_a_process_of_its_own_serves_and_is_found_again_after_a_restart(tmp_path: Path):
    settings = load_settings(question_pool=str(tmp_path / "pool.sqlite"), question_pool_size=1)
    told = set()
    with FillingProcess() as filling:
        for _ in range(2):
            app = create_app(settings, loads(ensemble_on(FakeEngine())), filling)
            transport = httpx.ASGITransport(app)
            async with (
                app.router.lifespan_context(app),
                httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
            ):

                async def waiting(client: httpx.AsyncClient = client) -> int:
                    return sum(row["waiting"] for row in (await client.get("/pool")).json()["waiting"])

                await until_async(lambda: waiting(), 6)
                question = (await client.post("/question?detail=true", json={})).json()
                told.add(question["id"])
                assert (await client.get("/pool")).json()["served"] == {"pool": 1}
                assert 0 <= question["hardness"] <= 1
                assert "aiac_question_pool{" in (await client.get("/metrics")).text
    assert len(told) == 2


async def until_async(count: Any, least: int) -> None:
    async with asyncio.timeout(120):
        while await count() < least:  # noqa: ASYNC110 - only /pool tells
            await asyncio.sleep(0.05)


async def test_while_an_answer_is_in_flight_the_pool_is_let_be():
    gate = asyncio.Event()
    engine = FakeEngine(gate=gate)
    async with running(engine) as service:
        asked = asyncio.create_task(service.answer({"question": "Which?", "choices": ["a", "b", "c", "d"]}))
        await engine.entered.wait()
        questioner = make_questioner(load_settings(), service.state, None)
        filling = asyncio.create_task(questioner.keep_filled())
        for _ in range(5):
            await asyncio.sleep(0)
        assert (await questioner.status()).gates == []
        gate.set()
        await asked
        async with asyncio.timeout(60):
            while not (await questioner.status()).gates:  # noqa: ASYNC110 - only the status tells
                await asyncio.sleep(0)
        filling.cancel()
        await asyncio.gather(filling, return_exceptions=True)
        await questioner.close()


async def test_a_damaged_pool_is_said_and_questions_go_on_flagged(tmp_path: Path):
    path = tmp_path / "pool.sqlite"
    path.write_bytes(b"not a database" * 100)
    store = QuestionStore(path)
    await store.close()
    settings = load_settings(question_pool=str(path), question_pool_size=1)
    with FillingProcess() as filling:
        app = create_app(settings, loads(ensemble_on(FakeEngine())), filling)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client,
        ):
            found = (await client.post("/question?detail=true", json={"seed": 1})).json()
            assert found["degraded"] is True
            assert "pool.sqlite" in (await client.get("/pool")).json()["problem"]
    assert path.read_bytes() == b"not a database" * 100
