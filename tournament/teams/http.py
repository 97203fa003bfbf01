"""A team that is a service: ``POST /question`` and ``POST /answer``, or another team's routes for the same."""

from __future__ import annotations

import json
import re
from typing import Any

from agents.core.errors import QuestionError, describe
from agents.core.schema import LETTERS, read_question
from tournament.teams.http_wire import Reply, Wire
from tournament.teams.protocol import Fault, QuestionSpec, Row, TeamEntry, TeamFaultError
from tournament.untrusted import parse_json, printable

NO_SUCH_ROUTE = (404, 405, 501)
PROOF_TIMEOUT_S = 5.0
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class HttpTeam:
    """A service at an address. Which routes it has is found out by the first request for each."""

    def __init__(
        self,
        url: str,
        *,
        name: str | None = None,
        key: str | None = None,
        detail: bool = False,
        seeded: bool = False,
    ) -> None:
        """``detail`` asks for the probabilities of an answer too, as this project's service gives them.

        ``seeded`` sends the seed of each request for a question: this project's service then makes it anew, where it
        would otherwise give the hardest that waits. Raises InputError for an address that is none.
        """
        self.entry = TeamEntry(name=name or url, kind="service", where=url)
        self._wire = Wire(url, key)
        self._detail = detail
        self._seeded = seeded
        self._missing: set[str] = set()

    def ask(self, request: QuestionSpec, timeout_s: float) -> Any:
        wanted: Row = {"topic": request.topic}
        if self._seeded:
            wanted["seed"] = request.seed
        if request.difficulty is not None:
            wanted["difficulty"] = request.difficulty
        # This project's service names a question only in detail, and gives the proof by that name.
        targets = _detailed("/question", wanted) | {"/generate_question": wanted}
        reply, target = self._post(targets, timeout_s)
        value = _json(reply)
        return _from_alias(value, request.topic) if target == "/generate_question" else value

    def answer(self, question: Row, timeout_s: float) -> Any:
        as_object = {
            "question": question["question"],
            "choices": dict(zip(LETTERS, question["choices"], strict=False)),
        }
        usual = _detailed("/answer", question) if self._detail else {"/answer": question}
        reply, _ = self._post(usual | {"/answer_question": as_object}, timeout_s)
        return _json(reply)

    def proof(self, row: Row) -> Any:
        """What ``GET /question/{id}/proof`` gives for a row with an id; None where there is no such thing."""
        number = str(row.get("id", ""))
        if not _ID.fullmatch(number):
            return None
        try:
            reply = self._wire.request("GET", f"/question/{number}/proof", None, PROOF_TIMEOUT_S)
            return _json(reply)
        except TeamFaultError:
            return None

    def close(self) -> None:
        self._wire.close()

    def _post(self, bodies: dict[str, Row], timeout_s: float) -> tuple[Reply, str]:
        """The reply of the first of the targets that is served, and which that is; of the last where none is."""
        for target in [target for target in bodies if target not in self._missing]:
            reply = self._wire.request("POST", target, _dump(bodies[target]), timeout_s)
            if reply.status not in NO_SUCH_ROUTE:
                return reply, target
            self._missing.add(target)
        # Perhaps it was only not ready yet: the next request starts with the usual route again.
        self._missing -= bodies.keys()
        return reply, target


def _detailed(target: str, body: Row) -> dict[str, Row]:
    """In detail first; a service that takes no query for a part of the name is asked without."""
    return {f"{target}?detail=true": body, target: body}


def _dump(value: Row) -> bytes:
    return json.dumps(value).encode()


def _json(reply: Reply) -> Any:
    """The JSON value in a reply. Raises TeamFaultError for any status but 200 and for whatever is no JSON."""
    if reply.status != 200:
        text = printable(reply.body[:200].decode("utf-8", "replace"))
        raise TeamFaultError(Fault(kind="status", detail=f"HTTP status {reply.status}: {text}"))
    try:
        return parse_json(reply.body)
    except ValueError:
        text = printable(reply.body[:80].decode("utf-8", "replace"))
        what = f"{reply.content_type or 'a reply'} that is not JSON: {describe(text, limit=100)}"
        raise TeamFaultError(Fault(kind="not JSON", detail=what)) from None


def _from_alias(value: Any, topic: str) -> Any:
    """The canonical form of ``{"question", "choices": {"A": …}, "correct_answer"}``; anything else stays as it is."""
    if not isinstance(value, dict):
        return value
    try:
        question = read_question(value, topic=topic)
        return question.canonical(str(value.get("explanation", "")))
    except QuestionError:
        return value
