"""The scoreboard as JSON values, for a page that follows the log of a match."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tournament.match.events import EVENT, SIDES
from tournament.match.scoreboard import Innings, Scoreboard


class LiveBoard:
    """Fold the events of one match, as its log holds them."""

    def __init__(self) -> None:
        self._board = Scoreboard()

    def apply(self, event: Mapping[str, Any]) -> None:
        """Take the next event in. Raises ValueError for an object that is no event of this version."""
        try:
            self._board.apply(EVENT.validate_python(event))
        except KeyError as error:
            raise ValueError(f"an innings that no match has: {error}") from None

    def to_json(self) -> dict[str, Any]:
        """Return what the page shows beside the events."""
        board = self._board
        return {
            "questions": None if board.started is None else board.started.questions,
            "score": {side: float(board.score(side)) for side in SIDES},
            "innings": [_innings(each) for each in board.innings.values()],
        }


def _innings(innings: Innings) -> dict[str, Any]:
    disputed = sum(view.status in ("disputed", "refuted") for view in innings.keys.values())
    return {
        "number": innings.number,
        "asker": innings.asker,
        "answerer": innings.answerer,
        "received": len(innings.questions),
        "survivors": None if innings.filtered is None else list(innings.filtered.survivors),
        "outcomes": {index: answer.outcome for index, answer in innings.answers.items()},
        "right": innings.right,
        "disqualified": innings.disqualified,
        "disputed_keys": disputed,
    }
