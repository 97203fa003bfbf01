"""Single requests to a service under examination, each timed and read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from tournament.doctor.answers import broken_answer
from tournament.doctor.finding import Examination
from tournament.doctor.shapes import seen_shapes
from tournament.match.context import Delivered, timed
from tournament.teams.http_wire import Wire
from tournament.untrusted import parse_json

ANSWER_TARGETS = {"/answer": "prefixed choices", "/answer_question": "choices by letter"}
"""Where questions are answered, and the shape that is usual there."""


@dataclass(frozen=True)
class ServiceClient:
    """A connection, and the rules that replies are read by. A ``Delivered`` of it holds a Reply or a fault."""

    url: str
    key: str | None
    wire: Wire
    examination: Examination

    @classmethod
    def open(cls, url: str, key: str | None, examination: Examination) -> ServiceClient:
        """Raises InputError for an address that is none, and MissingExtraError."""
        return cls(url, key, Wire(url, key), examination)

    def another(self) -> ServiceClient:
        """The same with a connection of its own."""
        return self.open(self.url, self.key, self.examination)

    def get(self, target: str) -> Delivered:
        return self._request("GET", target, None, self.examination.no_model_timeout_s)

    def post(self, target: str, body: bytes, timeout_s: float) -> Delivered:
        return self._request("POST", target, body, timeout_s)

    def ask(self, target: str, place: int = 0) -> Delivered:
        """Has the sample at ``place`` answered at one of ``ANSWER_TARGETS``."""
        samples = self.examination.samples
        body = seen_shapes(samples[place % len(samples)])[ANSWER_TARGETS[target]]
        return self.post(target, body, self.examination.edition.answer_seconds + self.examination.patience_s)

    def loss(self, found: Delivered) -> str | None:
        """Why a reply is no answer that can score; None where it is one, and in time."""
        limit_s = self.examination.edition.answer_seconds
        if found.fault is not None:
            return found.fault.detail
        if found.value.status != 200:
            return f"HTTP status {found.value.status}"
        if found.elapsed_s > limit_s:
            return f"late, after {found.elapsed_s:.2f} s"
        try:
            return broken_answer(parse_json(found.value.body), self.examination)
        except ValueError:
            return "a reply that is not JSON"

    def close(self) -> None:
        self.wire.close()

    def _request(self, method: str, target: str, body: bytes | None, timeout_s: float) -> Delivered:
        return timed(partial(self.wire.request, method, target, body, timeout_s), self.examination.clock)


def field_of(found: Delivered, name: str) -> Any:
    """A field of the JSON object in a reply with status 200; None where there is none."""
    if found.fault is not None or found.value.status != 200:
        return None
    try:
        value = parse_json(found.value.body)
    except ValueError:
        return None
    return value.get(name) if isinstance(value, dict) else None
