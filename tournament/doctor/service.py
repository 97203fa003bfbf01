"""A service under examination: is it there, is it in time, is what it says worth anything, what does it bear."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any

from tournament.doctor.answers import answer_findings
from tournament.doctor.client import ANSWER_TARGETS, ServiceClient
from tournament.doctor.finding import Examination, Finding, Say, judged, named, plural, unchecked
from tournament.doctor.questions import question_findings
from tournament.doctor.robustness import alias_finding, burst_finding, malformed_finding, shapes_finding
from tournament.match.answers import shown_to_answerer
from tournament.match.context import Delivered, timed
from tournament.match.innings import request_for
from tournament.teams.http import NO_SUCH_ROUTE, HttpTeam

MAX_FAULTS = 3
"""Requests for one thing that may fail before no more are sent: each may take the whole limit."""
NO_ENTRY = (401, 403)
ALIVE = {
    "/health": "Start the service, and let GET /health say 200 as soon as the process is up.",
    "/ready": "Let GET /ready say 200 once everything is loaded, so that nobody asks before.",
}


def service_findings(
    url: str, examination: Examination, *, key: str | None = None, say: Say = lambda text: None
) -> Iterator[Finding]:
    """Every check of the service at ``url``; nothing is asked before what is reported as the first.

    Raises InputError for an address that is none, MissingExtraError.
    """
    client = ServiceClient.open(url, key, examination)
    team = HttpTeam(url, key=key)
    try:
        if not (yield from _alive(client)):
            yield unchecked("answers and questions", "nothing speaks HTTP there")
            return
        yield from _answers(client, team, say)
        yield from _questions(client, team, say)
    finally:
        team.close()
        client.close()


def _alive(client: ServiceClient) -> Generator[Finding, None, bool]:
    for target, fix in ALIVE.items():
        found = client.get(target)
        if found.fault is not None:
            yield Finding(f"GET {target}", "fail", found.fault.detail, "HTTP status 200", fix)
            if found.fault.kind == "connection":
                return False
            continue
        status = found.value.status
        missing = status in NO_SUCH_ROUTE
        yield judged(
            f"GET {target}",
            status == 200,
            "not served" if missing else f"HTTP status {status} in {found.elapsed_s:.2f} s",
            expected="HTTP status 200",
            fix=fix,
            otherwise="warning" if missing else "fail",
        )
    return True


def _answers(client: ServiceClient, team: HttpTeam, say: Say) -> Iterator[Finding]:
    examination = client.examination
    limit_s = examination.edition.answer_seconds
    target, found = _first_served({target: partial(client.ask, target) for target in ANSWER_TARGETS})
    if target is None:
        fix = "Serve POST /answer (or /answer_question); without it this service has no A-agent."
        yield Finding("POST /answer", "fail", "not served", "an answer in the canonical form", fix)
        return
    yield _first("answer", found, limit_s)
    given: dict[int, Any] = {}

    def answer(place: int) -> Any:
        question = shown_to_answerer(examination.samples[place])
        return team.answer(question, limit_s + examination.patience_s)

    yield from _growing("answer", answer, limit_s, examination, given, say)
    if not given:
        yield unchecked("shapes, malformed input, burst", "it gives no answer")
        return
    asked = [examination.samples[place] for place in given]
    yield from answer_findings(asked, list(given.values()), examination)
    say("sending every shape of a question, and what is none")
    yield shapes_finding(client, target)
    yield malformed_finding(client, target)
    say(f"asking {examination.burst} at the same time")
    yield burst_finding(client, target)
    if target == "/answer":
        yield alias_finding(client, "/answer_question", client.ask("/answer_question"), "answer")


def _questions(client: ServiceClient, team: HttpTeam, say: Say) -> Iterator[Finding]:
    examination = client.examination
    edition = examination.edition
    limit_s = edition.question_seconds
    timeout_s = limit_s + examination.patience_s
    body = json.dumps({"topic": request_for(edition, 1, 0, 0, None).topic}).encode()
    alias = partial(client.post, "/generate_question", b"{}", timeout_s)
    usual = partial(client.post, "/question", body, timeout_s)
    target, found = _first_served({"/question": usual, "/generate_question": alias})
    if target is None:
        fix = "Serve POST /question (or /generate_question); without it this service has no Q-agent."
        yield Finding("POST /question", "fail", "not served", "a question in the canonical form", fix)
        return
    yield _first("question", found, limit_s)
    given: dict[int, Any] = {}

    def ask(place: int) -> Any:
        return team.ask(request_for(edition, 1, place, 0, None), timeout_s)

    yield from _growing("question", ask, limit_s, examination, given, say)
    if given:
        yield from question_findings(list(given.values()), examination)
    if target == "/question":
        yield alias_finding(client, "/generate_question", alias(), "question")


def _first_served(targets: dict[str, Callable[[], Delivered]]) -> tuple[str | None, Delivered]:
    """The first of the targets that is served, and what came of it; None where none is."""
    found = Delivered(None, None, 0.0)
    for target, call in targets.items():
        found = call()
        if found.fault is not None or found.value.status not in NO_SUCH_ROUTE:
            return target, found
    return None, found


def _first(thing: str, found: Delivered, limit_s: float) -> Finding:
    check, expected = f"first {thing}, cold", f"within {limit_s:g} s; cold only if nobody has asked since the start"
    if found.fault is not None:
        return Finding(check, "fail", found.fault.detail, expected, f"Give every good request for a {thing} a reply.")
    after = f"{found.elapsed_s:.2f} s"
    status = found.value.status
    if status in NO_ENTRY:
        fix = "Set AIAC_HOME_API_KEY to the bearer key that the service asks for, and examine it again."
        return Finding(check, "fail", f"HTTP status {status}", expected, fix)
    if status != 200:
        fix = f"Answer every good request for a {thing} with status 200, also when much goes wrong behind it."
        return Finding(check, "fail", f"HTTP status {status} after {after}", expected, fix)
    fix = "Ask yourself a question before GET /ready says 200, so that no opponent pays for the warming up."
    return judged(check, found.elapsed_s <= limit_s, after, expected=expected, fix=fix)


def _growing(
    thing: str,
    call: Callable[[int], Any],
    limit_s: float,
    examination: Examination,
    given: dict[int, Any],
    say: Say,
) -> Iterator[Finding]:
    """One request after another up to each size, until one size fails.

    ``given`` takes what they gave, late or not, by their place.
    """
    faults: dict[int, str] = {}
    worst_s, worst, done = 0.0, 0, 0
    failed = ""
    for number in examination.sizes:
        check = plural(number, thing)
        if failed:
            yield unchecked(check, f"{failed} failed")
            continue
        say(f"asking for {check}")
        for place in range(done, number):
            if len(faults) >= MAX_FAULTS:
                break
            found = timed(partial(call, place), examination.clock)
            if found.elapsed_s >= worst_s:
                worst_s, worst = found.elapsed_s, place
            if found.fault is not None:
                faults[place] = found.fault.detail
                continue
            given[place] = found.value
            if found.elapsed_s > limit_s:
                faults[place] = f"late, after {found.elapsed_s:.2f} s"
        done = number
        slowest = f"slowest {worst_s:.2f} s ({thing} {worst + 1})"
        yield judged(
            check,
            not faults,
            f"late or missing: {named(faults, thing)}" if faults else slowest,
            expected=f"each within {limit_s:g} s",
            fix=f"Give every {thing} a deadline below the limit and say what is known by then; late is wrong.",
        )
        failed = check if faults else ""
