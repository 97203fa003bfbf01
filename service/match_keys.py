"""Keys of a live match: a question is shown without its key until it is answered.

A referee of this project logs keys only after the answers. Logs of others, and older ones, hold them from the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from agents.core.errors import InputError
from service.match_logs import LogTail

SHOWN_FIELDS = ("topic", "question", "choices")
"""Fields of a row that the answering side sees. Every other one may hold the key, whatever its name."""
KEY_FIELDS = ("letter", "probabilities")
"""Fields of the referee's view of a key that tell it."""


class HiddenKeys:
    """The answered questions of one log, and its events without the keys of the others."""

    def __init__(self) -> None:
        self._answered: set[tuple[Any, Any]] = set()
        self._over: set[Any] = set()
        self._match_over = False

    def read(self, path: Path) -> None:
        """Take in every event that the log at ``path`` holds now, up to a line that cannot be read."""
        tail = LogTail(path)
        with suppress(InputError):
            while lines := tail.read():
                for _, event in lines:
                    self.apply(event)

    def apply(self, event: Mapping[str, Any]) -> None:
        """Take one event in; again changes nothing."""
        kind, innings = event.get("type"), event.get("innings")
        if kind == "match_ended":
            self._match_over = True
        elif kind == "innings_ended" and isinstance(innings, int):
            self._over.add(innings)
        elif kind == "answer_received" and isinstance(innings, int) and isinstance(event.get("index"), int):
            self._answered.add((innings, event["index"]))

    def shown(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the event as a page may see it now."""
        kind, innings, index = event.get("type"), event.get("innings"), event.get("index")
        over = self._match_over or (isinstance(innings, int) and innings in self._over)
        answered = over or (isinstance(index, int) and isinstance(innings, int) and (innings, index) in self._answered)
        if kind == "question_received" and not answered:
            row = event.get("row")
            # Of text, which may be JSON with a key in it, nothing is shown.
            return {**event, "row": _without_key(row) if isinstance(row, dict) else None}
        if kind == "key_judged" and not answered:
            return {name: value for name, value in event.items() if name not in KEY_FIELDS}
        if kind == "run_finished" and event.get("phase") == "questions" and not over:
            # A program may print the questions that it writes.
            return {**event, "output_tail": ""}
        return event


def _without_key(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in SHOWN_FIELDS if name in row}
