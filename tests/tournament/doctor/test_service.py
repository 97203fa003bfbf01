"""The doctor's visit to a service: real connections, one planted fault a test."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from arena_fakes import FakeClock, question
from doctor_fakes import by_check, examination, not_ok, sound_service
from loopback import Respond, http, serving

from agents.core.errors import InputError, QuestionError
from agents.core.schema import read_question
from tournament.doctor.finding import Examination, Finding
from tournament.doctor.service import service_findings
from tournament.doctor.shapes import malformed_bodies, seen_shapes

EXAMINED = examination(burst=4)
Reply = Callable[[str, bytes], Iterable[bytes] | None]
OTHERWISE: list[bytes] = []
"""What a planted fault says where it does not apply."""


def visited(fault: Respond = lambda target, body: OTHERWISE, under: Examination = EXAMINED) -> dict[str, Finding]:
    """The findings on a sound service, but for what ``fault`` answers before it."""
    sound = sound_service()

    def respond(target: str, body: bytes) -> Iterable[bytes] | None:
        said = fault(target, body)
        return sound(target, body) if said is OTHERWISE else said

    with serving(respond) as service:
        return by_check(service_findings(service.url, under))


def at(place: str, reply: Any) -> Respond:
    """Answers ``reply``, pieces or None, at one target."""
    return lambda target, body: reply if target == place else OTHERWISE


NOT_FOUND = http({"detail": "no"}, status=404)


def test_a_sound_service_has_nothing_to_mend():
    found = visited(under=replace(EXAMINED, sizes=[1, 2, 20], samples=examination(sizes=[20]).samples))
    assert not_ok(found.values()) == {}
    assert found["answer letters"].found == "20 of 20 are one"
    assert found["question filter"].found == "20 of 20 pass"
    assert found["shapes of a question"].found == "17 of 17 are answered"
    assert found["malformed input"].found == "16 of 16 as expected"
    assert {"first answer, cold", "20 answers", "first question, cold", "20 questions", "burst of 4"} <= found.keys()


def test_what_is_reported_as_the_first_answer_and_question_is_the_first():
    sound = sound_service()
    with serving(sound) as service:
        findings = iter(service_findings(service.url, EXAMINED))
        assert [next(findings).check for _ in range(3)] == ["GET /health", "GET /ready", "first answer, cold"]
        assert [target for target, _ in service.calls] == ["/health", "/ready", "/answer"]
        list(findings)
        targets = [target for target, _ in service.calls]
    assert targets.count("/question") == 3


@pytest.mark.parametrize(
    ("fault", "check", "verdict", "words"),
    [
        (at("/ready", http({"status": "loading"}, status=503)), "GET /ready", "fail", "HTTP status 503"),
        (at("/ready", NOT_FOUND), "GET /ready", "warning", "not served"),
        (at("/question", http({"x": 1}, status=500)), "first question, cold", "fail", "HTTP status 500"),
        (at("/question", http({"x": 1}, status=500)), "1 question", "fail", "question 1: HTTP status 500"),
        (at("/question", http({"question": "?"})), "question filter", "fail", "row 1: topic: no such field"),
        (at("/question", http(question())), "duplicates", "warning", "1 of 2 (50%)"),
        (at("/answer", http({"answer": "b"})), "answer letters", "fail", "row 1: answer: 'b', not exactly one"),
        (at("/answer", http({"answer": "b"})), "shapes of a question", "fail", "bare choices: answer: 'b'"),
        (at("/answer", http(b"<html>", content_type="text/html")), "1 answer", "fail", "text/html that is not JSON"),
        (at("/answer", http({}, status=401)), "first answer, cold", "fail", "HTTP status 401"),
        (at("/answer", None), "first answer, cold", "fail", "closed before a reply"),
        (at("/answer", http({"answer": "B"})), "malformed input", "fail", "an empty body: HTTP status 200"),
        (at("/answer_question", NOT_FOUND), "POST /answer_question", "warning", "not served"),
        (at("/answer_question", http({"letter": "B"})), "POST /answer_question", "fail", "without it"),
        (at("/generate_question", NOT_FOUND), "POST /generate_question", "warning", "not served"),
        (at("/generate_question", http(b"<html>")), "POST /generate_question", "fail", "without it"),
        (at("/generate_question", None), "POST /generate_question", "fail", "closed before a reply"),
    ],
)
def test_a_fault_of_a_service_is_found(fault, check, verdict, words):
    found = visited(fault)[check]
    assert found.verdict == verdict
    assert words in found.found
    assert found.fix


def test_a_service_without_a_q_agent_fails_for_that_side_only():
    found = visited(lambda target, body: NOT_FOUND if "question" in target and target[1] != "a" else OTHERWISE)
    assert (found["POST /question"].verdict, found["POST /question"].found) == ("fail", "not served")
    assert not_ok(found.values()) == {"POST /question": "fail"}


def test_a_service_without_an_a_agent_fails_for_that_side_only():
    found = visited(lambda target, body: NOT_FOUND if target.startswith("/answer") else OTHERWISE)
    assert not_ok(found.values()) == {"POST /answer": "fail"}


def test_another_teams_routes_will_do():
    found = visited(lambda target, body: NOT_FOUND if target in ("/answer", "/question") else OTHERWISE)
    # The fake's question has no key, whatever route it comes by.
    assert not_ok(found.values()) == {
        "question filter": "fail",
        "keys, duplicates, tokens, explanations": "not checked",
    }
    assert found["shapes of a question"].verdict == "ok"


def test_nobody_there_is_one_failure():
    with serving(sound_service()) as service:
        url = service.url
    found = by_check(service_findings(url, EXAMINED))
    assert found["GET /health"].found == "the connection failed: connection refused"
    assert [finding.verdict for finding in found.values()] == ["fail", "not checked"]


def test_what_is_no_address_is_refused():
    with pytest.raises(InputError, match="team: found 'ftp://x'"):
        list(service_findings("ftp://x", EXAMINED))


def test_a_cold_first_answer_is_late_and_the_warm_ones_are_not():
    clock, answered = FakeClock(), []

    def cold(target: str, body: bytes) -> list[bytes]:
        if target == "/answer" and not answered:
            answered.append(body)
            clock.pass_by(15.0)
        return OTHERWISE

    found = visited(cold, replace(EXAMINED, clock=clock))
    assert (found["first answer, cold"].verdict, found["first answer, cold"].found) == ("fail", "15.00 s")
    assert found["1 answer"].verdict == found["2 answers"].verdict == "ok"


def test_the_worst_answer_decides_and_larger_sizes_are_left_out():
    clock = FakeClock()

    def slow(target: str, body: bytes) -> list[bytes]:
        if target == "/answer" and b"number 1?" in body:
            clock.pass_by(9.01)
        return OTHERWISE

    under = replace(EXAMINED, clock=clock, sizes=[1, 2, 3], samples=examination(sizes=[3]).samples, burst=1)
    found = visited(slow, under)
    assert found["1 answer"].verdict == "ok"
    assert found["2 answers"].found == "late or missing: answer 2: late, after 9.01 s"
    assert (found["3 answers"].verdict, found["3 answers"].found) == ("not checked", "2 answers failed")


def test_a_slow_answer_within_the_limit_is_named_as_the_slowest():
    clock = FakeClock()

    def slow(target: str, body: bytes) -> list[bytes]:
        clock.pass_by(8.5 if target == "/answer" and b"number 1?" in body else 1.0)
        return OTHERWISE

    found = visited(slow, replace(EXAMINED, clock=clock, burst=1))
    assert found["2 answers"].found == "slowest 8.50 s (answer 2)"


def test_after_three_failures_no_more_is_asked():
    under = replace(EXAMINED, sizes=[20], samples=examination(sizes=[20]).samples)
    with serving(lambda target, body: http({}) if target[1] in "hr" else http({}, status=500)) as service:
        found = by_check(service_findings(service.url, under))
        targets = [target.partition("?")[0] for target, _ in service.calls]
    assert targets.count("/answer") == targets.count("/question") == 4
    assert found["20 answers"].verdict == "fail"
    assert found["shapes, malformed input, burst"].verdict == "not checked"


def test_a_shape_that_is_refused_is_named():
    def by_letter(target: str, body: bytes) -> Iterable[bytes]:
        refused = target == "/answer" and b'"choices": {' in body
        return http({"detail": "choices: not a list"}, status=422) if refused else OTHERWISE

    found = visited(by_letter)
    assert found["shapes of a question"].found == "16 of 17 are answered; choices by letter: HTTP status 422"


def test_malformed_input_that_hangs_or_breaks_the_service_is_named():
    held = threading.Event()

    def frail(target: str, body: bytes) -> Iterable[bytes] | None:
        if body == b"5":
            held.wait(10)
        return http({"detail": "oops"}, status=500) if body == b"null" else OTHERWISE

    def release(text: str) -> None:
        if text.startswith("asking 4"):
            held.set()

    sound = sound_service()
    with serving(lambda target, body: frail(target, body) or sound(target, body)) as service:
        under = replace(EXAMINED, no_model_timeout_s=0.5)
        found = by_check(service_findings(service.url, under, say=release))["malformed input"]
    assert found.verdict == "fail"
    assert "a number: no whole reply within 0.5 s" in found.found
    assert "null: HTTP status 500" in found.found


def test_a_service_that_malformed_input_breaks_for_good_is_told():
    broken = threading.Event()

    def frail(target: str, body: bytes) -> Iterable[bytes]:
        if target == "/answer" and body == b"{}":
            broken.set()
        return http({"detail": "oops"}, status=500) if broken.is_set() and b"choices" in body else OTHERWISE

    found = visited(frail)["malformed input"]
    assert found.found.endswith("a good question after these: HTTP status 500")


def after_malformed(reply: Respond) -> Respond:
    """``reply`` at /answer from when what is malformed has been sent and a good question answered: in the burst."""
    seen: list[str] = []

    def respond(target: str, body: bytes) -> Iterable[bytes] | None:
        if target != "/answer":
            return OTHERWISE
        if not body:
            seen.append("malformed")
        elif len(seen) == 2:
            return reply(target, body)
        elif seen and body == seen_shapes(EXAMINED.samples[0])["prefixed choices"]:
            seen.append("good")
        return OTHERWISE

    return respond


def test_a_burst_comes_all_at_once():
    together = threading.Barrier(20)

    def meet(target: str, body: bytes) -> list[bytes]:
        together.wait(10)
        return OTHERWISE

    found = visited(after_malformed(meet), replace(EXAMINED, burst=20))
    assert (found["burst of 20"].verdict, together.broken) == ("ok", False)
    assert found["burst of 20"].found.startswith("20 answered, slowest ")


def test_a_burst_that_is_refused_is_a_warning_and_one_that_is_late_or_broken_fails():
    refuse = after_malformed(lambda target, body: http({"detail": "busy"}, status=503))
    found = visited(refuse)["burst of 4"]
    assert found.verdict == "warning"
    assert "0 answered" in found.found
    assert "4 refused" in found.found
    found = visited(after_malformed(lambda target, body: http({"detail": "oops"}, status=500)))["burst of 4"]
    assert found.verdict == "fail"
    assert "request 1: HTTP status 500" in found.found
    clock = FakeClock()

    def late(target: str, body: bytes) -> list[bytes]:
        clock.pass_by(9.5)
        return OTHERWISE

    found = visited(after_malformed(late), replace(EXAMINED, clock=clock, burst=1))["burst of 1"]
    assert (found.verdict, found.found) == (
        "fail",
        "0 answered, slowest 9.50 s; request 1: late, after 9.50 s",
    )


def test_every_shape_is_the_same_question_and_what_is_malformed_is_none():
    row = EXAMINED.samples[0]
    wanted = read_question(row)
    for body in seen_shapes(row).values():
        payload = json.loads(body)
        payload = payload.get("questions", payload) if isinstance(payload, dict) else payload
        assert (read_question(payload).text, read_question(payload).choices) == (wanted.text, wanted.choices)
    for body in malformed_bodies(row).values():
        with pytest.raises((ValueError, RecursionError, QuestionError)):
            read_question(json.loads(body))
