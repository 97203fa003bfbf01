"""A service as a team, and every way in which a service can fail one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from arena_fakes import FakeClock, good_team, match_of, play, question
from loopback import Respond, http, serving

from agents.core.errors import InputError
from aiac.cli import run
from tournament.teams.http import HttpTeam
from tournament.teams.protocol import QuestionSpec, TeamFaultError
from tournament.untrusted import MAX_ROW_BYTES

REQUEST = QuestionSpec("Syllogisms", "hard", 7)
SHOWN = {key: question()[key] for key in ("topic", "question", "choices")}
B = {"answer": "B", "reasoning": "So it is."}
GIBIBYTE = 1 << 30


def route(answers: dict[str, Any]) -> Respond:
    return lambda target, body: http(answers[target]) if target in answers else http({"title": "no"}, status=404)


def test_a_question_is_asked_for_by_topic_and_difficulty_and_an_answer_by_the_question():
    with serving(route({"/question?detail=true": question(), "/answer": B})) as service:
        team = HttpTeam(service.url)
        assert team.ask(REQUEST, 5) == question()
        assert team.answer(SHOWN, 5) == B
        team.close()
    assert service.calls == [
        ("/question?detail=true", {"topic": "Syllogisms", "difficulty": "hard"}),
        ("/answer", SHOWN),
    ]
    assert service.connections == 1


def test_the_seed_is_sent_when_the_questions_are_to_be_the_same_again():
    with serving(route({"/question?detail=true": question()})) as service:
        team = HttpTeam(service.url, seeded=True)
        team.ask(REQUEST, 5)
        team.close()
    assert service.calls[0][1] == {"topic": "Syllogisms", "difficulty": "hard", "seed": 7}


def test_a_service_that_takes_no_query_is_asked_without_one_from_then_on():
    with serving(route({"/question": question(), "/answer": B})) as service:
        team = HttpTeam(service.url, detail=True)
        for _ in range(2):
            assert team.ask(REQUEST, 5) == question()
            assert team.answer(SHOWN, 5) == B
        team.close()
    assert [target for target, _ in service.calls] == [
        *("/question?detail=true", "/question", "/answer?detail=true", "/answer"),
        *("/question", "/answer"),
    ]


def test_the_routes_of_another_team_are_found_once_and_turned_into_the_canonical_shape():
    theirs = {
        "question": "Which is two?",
        "choices": {"A": "one", "B": "two", "C": "three", "D": "four"},
        "correct_answer": "B",
        "generation_time": 1.5,
    }
    with serving(route({"/generate_question": theirs, "/answer_question": {"answer": "B"}})) as service:
        team = HttpTeam(service.url)
        for _ in range(2):
            row = team.ask(REQUEST, 5)
            assert row["choices"] == ["A) one", "B) two", "C) three", "D) four"]
            assert (row["answer"], row["topic"]) == ("B", "Syllogisms")
            assert team.answer(SHOWN, 5) == {"answer": "B"}
        team.close()
    assert [target for target, _ in service.calls] == [
        "/question?detail=true",
        "/question",
        "/generate_question",
        "/answer",
        "/answer_question",
        "/generate_question",
        "/answer_question",
    ]
    assert service.calls[-1][1] == {
        "question": SHOWN["question"],
        "choices": dict(zip("ABCD", SHOWN["choices"], strict=True)),
    }


def test_the_key_goes_along_and_probabilities_only_when_asked_for():
    with serving(route({"/answer?detail=true": B})) as service:
        team = HttpTeam(service.url + "/", detail=True, key="secret")
        assert team.answer(SHOWN, 5) == B
        team.close()
    assert service.keys == {"Bearer secret"}


def test_in_a_league_each_service_gets_the_key_of_its_own_name(tmp_path, word_counter, monkeypatch):
    monkeypatch.setenv("AIAC_HOME_API_KEY", "of-a-match")
    monkeypatch.setenv("AIAC_TEAM_OUR_TEAM_API_KEY", "secret")
    with serving(route({})) as ours, serving(route({})) as theirs:
        file = tmp_path / "teams.yaml"
        file.write_text(json.dumps({"teams": {"our team": ours.url, "them": theirs.url}}))
        asked = ["--questions", "1", "--folder", str(tmp_path), "--tokenizer", word_counter]
        assert run(["play", "--round-robin", str(file), *asked]) == 0
    assert (ours.keys, theirs.keys) == ({"Bearer secret"}, {None})


def test_the_proof_of_a_question_with_an_id_is_fetched_and_of_any_other_is_not():
    with serving(route({"/question/17/proof": {"family": "series"}})) as service:
        team = HttpTeam(service.url)
        assert team.proof({**question(), "id": 17}) == {"family": "series"}
        assert team.proof({**question(), "id": "18"}) is None
        assert team.proof(question()) is None
        assert team.proof({**question(), "id": "../../etc"}) is None
        team.close()
    assert [target for target, _ in service.calls] == ["/question/17/proof", "/question/18/proof"]


def never() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    while True:
        # A byte now and then, for ever: a time limit by read would never be over.
        threading.Event().wait(0.02)
        yield b"x"


def huge() -> Iterator[bytes]:
    yield f"HTTP/1.1 200 OK\r\nContent-Length: {GIBIBYTE}\r\n\r\n".encode()
    for _ in range(GIBIBYTE >> 20):
        yield bytes(1 << 20)


def endless_head() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    while True:
        yield b"X-Filler: " + b"x" * 4000 + b"\r\n"


@pytest.mark.parametrize(
    ("pieces", "kind", "words"),
    [
        (lambda: http(b"<html>Hello</html>", content_type="text/html"), "not JSON", "text/html that is not JSON"),
        (lambda: http(b"", content_type="application/json"), "not JSON", "application/json that is not JSON"),
        (lambda: http(b'{"answer": "B"'), "not JSON", "not JSON"),
        (lambda: http(b"[" * 60_000), "not JSON", "not JSON"),
        (lambda: http({"detail": "over capacity"}, status=503), "status", "HTTP status 503"),
        (lambda: http(b"", status=302), "status", "HTTP status 302"),
        (lambda: [b"SSH-2.0-OpenSSH\r\n\r\n"], "connection", "not HTTP"),
        (lambda: [b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"], "silent", "no whole reply within 0.3 s"),
        (lambda: None, "connection", "closed before a reply"),
        (never, "silent", "no whole reply within 0.3 s"),
        (huge, "too large", f"more than {MAX_ROW_BYTES:,} bytes"),
        (endless_head, "too large", "more than 65,536 bytes of headers"),
    ],
)
def test_whatever_a_service_does_is_a_fault_with_a_reason(pieces, kind, words):
    with serving(lambda target, body: pieces()) as service:
        team = HttpTeam(service.url)
        with pytest.raises(TeamFaultError) as error:
            team.answer(SHOWN, 0.3)
        team.close()
    assert error.value.fault.kind == kind
    assert words in error.value.fault.detail


def test_nobody_there_is_a_fault():
    with serving(lambda target, body: None) as service:
        url = service.url
    with pytest.raises(TeamFaultError, match="the connection failed: connection refused"):
        HttpTeam(url).answer(SHOWN, 1)


def test_a_reply_of_the_largest_size_is_read():
    body = json.dumps({"answer": "B", "reasoning": "x" * (MAX_ROW_BYTES - 32)}).encode()
    assert len(body) <= MAX_ROW_BYTES
    with serving(lambda target, body_: http(body)) as service:
        team = HttpTeam(service.url)
        assert team.answer(SHOWN, 5)["answer"] == "B"
        team.close()


def test_a_connection_closed_between_two_requests_is_no_fault():
    # Says that it keeps the connection, and closes it.
    def respond(target: str, body: bytes) -> Iterator[bytes]:
        yield from http(B)
        raise OSError

    with serving(respond) as service:
        team = HttpTeam(service.url)
        assert [team.answer(SHOWN, 5) for _ in range(3)] == [B] * 3
        team.close()
    assert service.connections == 3


def test_after_a_fault_the_next_request_is_answered():
    replies = iter([[b"nonsense\r\n\r\n"], http(B), None, http(B)])
    with serving(lambda target, body: next(replies)) as service:
        team = HttpTeam(service.url)
        found = []
        for _ in range(3):
            try:
                found.append(team.answer(SHOWN, 5))
            except TeamFaultError as error:
                found.append(error.fault.kind)
        team.close()
    # The third finds its kept connection closed and asks once more, and that is answered.
    assert found == ["connection", B, B]


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "http://", "http://127.0.0.1:99999", "localhost:8000"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(InputError):
        HttpTeam(url)


def test_a_match_against_a_service_that_is_late_by_10_ms(tmp_path):
    clock = FakeClock()

    def respond(target: str, body: bytes) -> list[bytes]:
        if target.startswith("/question"):
            return http(question(json.loads(body)["seed"]))
        clock.pass_by(9.01)
        return http(B)

    with serving(respond) as service:
        team = HttpTeam(service.url, name="late", seeded=True)
        board = play(tmp_path / "log", clock, good_team(clock, 2), team, match_of(2)).board
        team.close()
    assert [answer.outcome for answer in board.innings[1].answers.values()] == ["late", "late"]
    assert [round(answer.elapsed_s or 0, 3) for answer in board.innings[1].answers.values()] == [9.01, 9.01]
    assert board.score("home") == 200


@pytest.mark.parametrize(
    "pieces",
    [
        lambda: http(b"<html>Hello</html>", content_type="text/html"),
        huge,
        lambda: None,
        lambda: http({"answer": "b"}),
    ],
)
def test_a_match_goes_on_whatever_a_service_answers_and_the_other_team_loses_nothing(tmp_path, pieces):
    clock = FakeClock()

    def respond(target: str, body: bytes) -> Any:
        return http(question(json.loads(body)["seed"])) if target.startswith("/question") else pieces()

    with serving(respond) as service:
        team = HttpTeam(service.url, name="broken", seeded=True)
        board = play(tmp_path / "log", clock, good_team(clock, 3, name="good"), team, match_of(3)).board
        team.close()
    assert {answer.outcome for answer in board.innings[1].answers.values()} <= {"fault", "format"}
    assert (board.score("home"), board.score("away")) == (200, 0)
