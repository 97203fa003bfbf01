"""Every error is a problem document that names what is wrong, whatever was sent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from service_fakes import QUESTION, running

from agents.ensemble.loading import LoadedEnsemble
from service.middleware import MAX_DISCARDED_BYTES

pytestmark = pytest.mark.anyio


def with_choices(*choices: Any) -> dict[str, Any]:
    return {"question": "Which?", "choices": list(choices)}


BODIES: dict[str, tuple[str, str, str]] = {
    # What is sent; the field that is named; a part of what was found.
    "nothing": ("", "body", "no body"),
    "not_json": ("question=What?", "body", "line 1, column 1"),
    "cut_off": ('{"question": "Wh', "body", "not JSON"),
    "null": ("null", "question row", "null"),
    "number": ("5", "question row", "int 5"),
    "empty_object": ("{}", "question", "no such field"),
    "empty_list": ("[]", "question row", "a list of 0"),
    "string_not_json": ('"What?"', "question row", "not JSON"),
    "null_question": (json.dumps({**QUESTION, "question": None}), "question", "no such field"),
    "question_is_a_number": (json.dumps({**QUESTION, "question": 7}), "question", "int 7"),
    "question_is_a_list": (json.dumps({**QUESTION, "question": ["x"]}), "question", "a list of 1"),
    "no_choices": (json.dumps({"question": "Which?"}), "choices", "no such field"),
    "null_choices": (json.dumps({"question": "Which?", "choices": None}), "choices", "no such field"),
    "choices_are_text": (json.dumps({"question": "Which?", "choices": "a b"}), "choices", "'a b'"),
    "one_choice": (json.dumps(with_choices("a")), "choices", "1 choices"),
    "eleven_choices": (json.dumps(with_choices(*"abcdefghijk")), "choices", "11 choices"),
    "null_choice": (json.dumps(with_choices("a", None)), "choices[1]", "no such field"),
    "number_choice": (json.dumps(with_choices("a", 2)), "choices[1]", "int 2"),
    "wrong_letters": (json.dumps({"question": "Which?", "choices": {"A": "a", "C": "c"}}), "choices", "A, C"),
    "lone_surrogate": ('{"question": "\\ud800", "choices": ["a", "b"]}', "question", "a lone surrogate"),
    "surrogate_letters": ('{"question": "Which?", "choices": {"\\ud800": "a", "B": "b"}}', "choices", "ud800"),
    "surrogate_number": ('{"question": "Which?", "choices": "\\udfff"}', "choices", "udfff"),
    "nan": ('{"question": NaN, "choices": ["a", "b"]}', "body", "'NaN'"),
    "infinity": ('{"question": "Which?", "choices": ["a", -Infinity]}', "body", "-Infinity"),
    "overflow": ('{"question": "Which?", "choices": ["a", "b"], "score": 1e999}', "body", "1e999"),
    "huge_integer": ('{"question": ' + "9" * 5000 + "}", "body", "too many digits"),
    "deep_lists": ("[" * 30_000, "body", "nested too deep"),
    "deep_objects": ('{"a":' * 10_000, "body", "nested too deep"),
    "deep_inside_text": (json.dumps("[" * 30_000), "question row", "not JSON"),
    "several": (json.dumps([QUESTION, QUESTION]), "question row", "a list of 2"),
    "several_questions": (json.dumps({"questions": [QUESTION, QUESTION]}), "questions", "2 questions"),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("path", ["/answer", "/answer_question"])
async def test_a_body_that_is_no_question(path: str, name: str) -> None:
    body, field, found = BODIES[name]
    async with running() as service:
        response = await service.client.post(path, content=body)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["field"] == field
    assert found in problem["found"]
    assert problem["detail"] == f"{field}: found {problem['found']}; expected {problem['expected']}"
    assert problem["type"].startswith("urn:aiac:error:")
    assert (problem["title"], problem["status"], problem["instance"]) == ("Invalid input", 422, path)


@pytest.mark.parametrize("depth", range(50, 1001, 50))
async def test_no_depth_of_nesting_is_an_error_of_the_service(depth: int) -> None:
    async with running() as service:
        for path in ("/answer", "/answers"):
            response = await service.client.post(path, content="[" * depth + "]" * depth)
            assert response.status_code in (200, 422)


async def test_several_questions_are_sent_on_to_answers() -> None:
    async with running() as service:
        response = await service.answer([QUESTION, QUESTION])
    assert "POST /answers" in response.json()["expected"]


async def test_bytes_that_are_not_utf8() -> None:
    async with running() as service:
        response = await service.client.post("/answer", content=b'{"question": "\xff\xfe"}')
    assert (response.status_code, response.json()["field"]) == (422, "body")


async def test_a_body_over_the_limit_is_refused_by_its_declared_length() -> None:
    async with running() as service:
        response = await service.answer({**QUESTION, "question": "x" * 1_000_000})
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["field"] == "body"
    assert "65,536 bytes" in response.json()["expected"]


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "10"}], ids=["chunked", "a_lie"])
async def test_a_body_over_the_limit_is_refused_while_it_arrives(headers: dict[str, str]) -> None:
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 40_000
            yield b"x" * 40_000

    async with running(max_body_bytes=50_000) as service:
        response = await service.client.post("/answer", content=chunks(), headers=headers)
    assert response.status_code == 413
    # A bounded rest is read, so that the client gets to see the response.
    assert sent < MAX_DISCARDED_BYTES + 200_000
    assert response.headers["connection"] == "close"


async def test_a_batch_has_a_limit_of_its_own() -> None:
    batch = [{**QUESTION, "explanation": "x" * 70_000}]
    async with running() as service:
        assert (await service.answer(batch)).status_code == 413
        assert (await service.client.post("/answers", json=batch)).status_code == 200
        too_large = [{**QUESTION, "explanation": "x" * (4 << 20)}]
        assert (await service.client.post("/answers", json=too_large)).status_code == 413


async def test_paths_and_methods_that_do_not_exist() -> None:
    async with running() as service:
        missing = await service.client.get("/nothing%20here")
        wrong = await service.client.get("/answer")
    assert missing.status_code == 404
    assert missing.headers["content-type"] == "application/problem+json"
    assert missing.json()["instance"] == "/nothing%20here"
    assert missing.json()["type"] == "about:blank"
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert wrong.json()["title"] == "Method Not Allowed"


async def test_a_parameter_that_fastapi_refuses() -> None:
    async with running() as service:
        response = await service.answer(QUESTION, params={"detail": "perhaps"})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.json()["field"], response.json()["found"]) == ("detail", "'perhaps'")


async def test_what_nobody_expected_is_a_500_without_internals() -> None:
    async with running() as service:

        @service.app.get("/broken")
        async def broken() -> None:
            raise RuntimeError("a password")

        response = await service.client.get("/broken")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "password" not in response.text
    assert "RuntimeError" not in response.text


OPEN = ["/", "/console/main.js", "/health", "/ready"]
CLOSED = [("POST", "/answer"), ("POST", "/answers"), ("POST", "/answer_question"), ("GET", "/metrics")]
CLOSED += [("GET", "/openapi.json"), ("GET", "/nothing"), ("GET", "/health/"), ("GET", "/matches")]


@pytest.mark.parametrize("path", OPEN)
async def test_probes_and_the_page_need_no_key(path: str) -> None:
    async with running(api_key="s3cret") as service:
        assert (await service.client.get(path)).status_code == 200


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", "Basic s3cret", "s3cret", "Bearer s3cret2", "é"]
)
async def test_everything_else_needs_the_key(header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    async with running(api_key="s3cret") as service:
        for method, path in CLOSED:
            response = await service.client.request(method, path, content=b"not read", headers=headers)
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["field"] == "Authorization"
            assert "s3cret" not in response.text.replace(header or " ", "")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_the_right_key_is_let_in(scheme: str) -> None:
    async with running(api_key="s3cret") as service:
        response = await service.answer(QUESTION, headers={"Authorization": f"{scheme} s3cret"})
    assert response.status_code == 200


async def test_an_error_of_loading_with_a_surrogate_in_it_can_be_sent() -> None:
    from agents.core.errors import FileError

    async def load(report: Callable[[str], None]) -> LoadedEnsemble:
        raise FileError("folder/\udcff", "no such file", "a file")

    async with running(load=load) as service:
        response = await service.client.get("/ready")
    assert response.status_code == 503
    assert "folder/\\udcff" in response.json()["detail"]
