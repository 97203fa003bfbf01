"""Keys stay in the referee's memory until the answers are in: a log on the disk may be read by who answers.

A question is logged as the answerer sees it, and the rest of its row (its key above all) in a later event. After a kill
the rest is lost: questions that are not answered yet are asked for anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tournament.match.events import Event, KeysShown, QuestionReceived
from tournament.match.scoreboard import Innings

SHOWN = ("topic", "question", "choices")
"""Fields of a row that the answerer is given."""


def as_logged(event: Event) -> Event:
    """``event`` without what must not be on the disk yet. A row that is no object is never asked."""
    if not isinstance(event, QuestionReceived) or not isinstance(event.row, dict):
        return event
    row = {name: event.row[name] for name in SHOWN if name in event.row}
    return event.model_copy(update={"row": row, "withheld": True})


def keys_shown(innings: Innings, indices: Iterable[int], at_s: float) -> list[Event]:
    """The event that tells the rest of these questions; none where that is told, or lost."""
    rest: dict[int, dict[str, Any]] = {}
    for index in indices:
        received = innings.questions[index]
        if index not in innings.shown and isinstance(received.row, dict) and not received.withheld:
            rest[index] = {name: value for name, value in received.row.items() if name not in SHOWN}
    return [KeysShown(at_s=at_s, innings=innings.number, rest=rest)] if rest else []


def unknown(innings: Innings, number: int) -> list[int]:
    """The questions to be asked for: not there yet, or their keys lost with a referee before they were answered."""
    filtered = innings.filtered
    missing = [index for index in range(number) if index not in innings.questions]
    wanted = range(number) if filtered is None else filtered.survivors
    lost = [i for i in wanted if i in innings.questions and innings.questions[i].withheld and i not in innings.answers]
    return missing + lost
