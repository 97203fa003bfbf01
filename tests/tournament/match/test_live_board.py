"""The board that a page shows is the scoreboard of the same events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tournament.match.live_board import LiveBoard


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"v": 1, "at_s": 1.0, "type": kind, **fields}


def question(index: int) -> dict[str, Any]:
    return event(
        "question_received", innings=1, index=index, topic="t", seed=1, elapsed_s=1.0, delivery="on time", row={}
    )


def answer(index: int, outcome: str) -> dict[str, Any]:
    return event("answer_received", innings=1, index=index, elapsed_s=1.0, outcome=outcome)


EVENTS = [
    *map(question, range(3)),
    event("questions_filtered", innings=1, survivors=[0, 2], broken={"1": "choices"}, disqualified=False),
    answer(0, "right"),
    answer(2, "late"),
    event("key_judged", innings=1, index=0, status="disputed", letter="B", by="panel"),
]


def test_it_folds_events_as_a_log_holds_them() -> None:
    board = LiveBoard()
    for each in EVENTS:
        board.apply(json.loads(json.dumps(each)))
    shown = json.loads(json.dumps(board.to_json()))
    assert shown["score"] == {"home": 50.0, "away": 50.0}
    assert shown["innings"][0] == {
        "number": 1,
        "asker": "home",
        "answerer": "away",
        "received": 3,
        "survivors": [0, 2],
        "outcomes": {"0": "right", "2": "late"},
        "right": 1,
        "disqualified": False,
        "disputed_keys": 1,
    }
    assert (shown["innings"][1]["survivors"], shown["innings"][1]["received"]) == (None, 0)


@pytest.mark.parametrize("broken", [{"type": "unknown"}, event("innings_ended"), event("innings_ended", innings=3)])
def test_what_is_no_event_is_a_value_error(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        LiveBoard().apply(broken)
