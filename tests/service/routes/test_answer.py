"""POST /answer and its alias: every shape, details, deadlines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from service_fakes import PRIOR_LETTER, QUESTION, FakeEngine, running

pytestmark = pytest.mark.anyio

LETTERED = [f"{letter}) {text}" for letter, text in zip("ABCD", QUESTION["choices"], strict=True)]
BY_LETTER = dict(zip("ABCD", QUESTION["choices"], strict=True))
SHAPES: dict[str, Any] = {
    "bare": QUESTION,
    "lettered": {**QUESTION, "choices": LETTERED},
    "doubled": {**QUESTION, "choices": [f"{choice[:3]}{choice}" for choice in LETTERED]},
    "by_letter": {**QUESTION, "choices": BY_LETTER},
    "options": {"question": QUESTION["question"], "options": LETTERED},
    "with_key": {**QUESTION, "topic": "x", "expected_answer": "b", "explanation": "It is Rome.", "tokens": 12},
    "json_string": json.dumps(QUESTION),
    "list_of_one": [QUESTION],
    "list_of_json": [json.dumps(QUESTION)],
    "questions_of_one": {"questions": [QUESTION]},
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_any_shape_gives_the_canonical_answer(shape: str) -> None:
    async with running() as service:
        response = await service.answer(SHAPES[shape])
    assert response.status_code == 200
    assert response.json().keys() == {"answer", "reasoning"}
    assert response.json()["answer"] == "B"
    assert len(response.json()["reasoning"].split()) <= 100


async def test_the_content_type_is_not_looked_at() -> None:
    async with running() as service:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        response = await service.client.post("/answer", content=json.dumps(QUESTION), headers=form)
    assert response.json()["answer"] == "B"


async def test_an_explanation_and_a_key_are_not_shown_to_the_model() -> None:
    async with running() as service:
        await service.answer({**QUESTION, "answer": "C", "explanation": "The secret is Rome."})
        await service.answer(QUESTION)
    asked = service.engine.prompts
    assert sorted(asked[: len(asked) // 2]) == sorted(asked[len(asked) // 2 :])
    assert not any("secret" in prompt for prompt in asked)


async def test_details() -> None:
    async with running() as service:
        body = (await service.answer(QUESTION, params={"detail": "true"})).json()
    assert body["answer"] == "B"
    assert body["degraded"] is False
    assert body["probabilities"].keys() == set("ABCD")
    assert sum(body["probabilities"].values()) == pytest.approx(1)
    assert max(body["probabilities"], key=body["probabilities"].get) == "B"
    assert 0 < body["elapsed_ms"] < 60_000
    assert [(m["name"], m["steps_done"], m["steps_total"], m["error"]) for m in body["members"]] == [
        ("first", 2, 2, None),
        ("second", 1, 1, None),
    ]
    assert body["members"][0]["probabilities"]["B"] == pytest.approx(0.7, abs=1e-3)


async def test_a_member_that_hangs_is_left_out_at_the_deadline() -> None:
    async with running(FakeEngine(hanging={"first"})) as service:
        response = await service.answer(QUESTION, params={"detail": "true"}, headers={"X-Deadline-Ms": "200"})
    body = response.json()
    assert body["answer"] == "B"
    assert body["degraded"] is True
    assert body["members"][0] == {
        "name": "first",
        "probabilities": None,
        "steps_done": 0,
        "steps_total": 2,
        "error": "late",
        "voted_ms": None,
    }


async def test_a_member_that_fails_is_left_out_and_says_why() -> None:
    async with running(FakeEngine(failing={"second"})) as service:
        body = (await service.answer(QUESTION, params={"detail": "true"})).json()
    assert (body["answer"], body["degraded"]) == ("B", True)
    assert body["members"][1]["error"] == "out of memory"


async def test_an_engine_that_never_answers_gives_the_priors_letter_in_time() -> None:
    async with running(FakeEngine(hanging={"first", "second"})) as service:
        response = await service.answer(QUESTION, params={"detail": "true"}, headers={"X-Deadline-Ms": "50"})
    body = response.json()
    assert (body["answer"], body["degraded"]) == (PRIOR_LETTER, True)
    assert 50 <= body["elapsed_ms"] < 2000


async def test_a_deadline_that_is_over_on_arrival_still_gets_an_answer() -> None:
    async with running() as service:
        response = await service.answer(QUESTION, headers={"X-Deadline-Ms": "1"})
    assert response.status_code == 200
    assert response.json()["answer"] in "ABCD"


@pytest.mark.parametrize("value", [" 500", "500 ", "\t500 \t"])
async def test_spaces_around_a_deadline_are_no_part_of_it(value: str) -> None:
    async with running(FakeEngine(hanging={"first", "second"})) as service:
        response = await service.answer(QUESTION, params={"detail": "true"}, headers={"X-Deadline-Ms": value})
    assert response.status_code == 200
    assert response.json()["deadline_ms"] == pytest.approx(500)


async def test_the_header_cannot_lengthen_the_deadline() -> None:
    # A margin that leaves 20 ms of the edition's 6 s.
    async with running(FakeEngine(hanging={"first", "second"}), margin_ms=5980) as service:
        response = await service.answer(QUESTION, params={"detail": "true"}, headers={"X-Deadline-Ms": "600000"})
    assert response.json()["answer"] == PRIOR_LETTER
    assert response.json()["elapsed_ms"] < 2000


@pytest.mark.parametrize("value", ["", "0", "-5", "600001", "1.5", "soon", "1_000", "NaN", "9" * 5000])
@pytest.mark.parametrize("path", ["/answer", "/answers", "/answer_question"])
async def test_a_malformed_deadline_names_the_header(path: str, value: str) -> None:
    async with running() as service:
        response = await service.client.post(path, json=QUESTION, headers={"X-Deadline-Ms": value})
    assert response.status_code == 422
    assert response.json()["field"] == "X-Deadline-Ms"
    assert not service.engine.prompts


async def test_the_alias_answers_in_its_own_shape() -> None:
    async with running() as service:
        response = await service.client.post("/answer_question", json={**QUESTION, "choices": BY_LETTER})
    body = response.json()
    assert body.keys() == {"answer", "answer_time"}
    assert body["answer"] == "B"
    assert 0 < body["answer_time"] < 60


async def test_an_engine_that_gives_nan_does_not_fail_the_response() -> None:
    class Overflowed(FakeEngine):
        async def next_token_logprobs(self, *arguments: Any) -> list[float]:
            return [float("nan")] * 4

    async with running(Overflowed()) as service:
        response = await service.answer(QUESTION, params={"detail": "true"})
    assert response.status_code == 200
    assert response.json()["answer"] in "ABCD"
