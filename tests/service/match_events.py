"""Events of a match as its log holds them, and a log that they are written to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

STARTED = {"type": "match_started", "edition": "oct2025_aiac", "home": {"name": "us"}, "away": {"name": "<b>them</b>"}}
ENDED = {"type": "match_ended", "winner": "home"}


def append(log: Path, *events: dict[str, Any]) -> None:
    with log.open("a") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)
