"""Events of a match as its log holds them, and a log that they are written to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

STARTED: dict[str, Any] = {
    "v": 1,
    "at_s": 1.0,
    "type": "match_started",
    "match_id": "one",
    "edition": "oct2025_aiac",
    "home": {"name": "us", "kind": "reference", "where": "here"},
    "away": {"name": "<b>them</b>", "kind": "reference", "where": "here"},
    "questions": 2,
    "seed": 1,
    "difficulty": None,
    "question_limit_s": 10.0,
    "answer_limit_s": 6.0,
}
ENDED: dict[str, Any] = {
    "v": 1,
    "at_s": 9.0,
    "type": "match_ended",
    "winner": "home",
    "reason": "50.00 points to 0.00",
    "home_score": 50.0,
    "away_score": 0.0,
}


def append(log: Path, *events: dict[str, Any]) -> None:
    with log.open("a") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)
