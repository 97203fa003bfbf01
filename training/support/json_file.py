"""JSON files that a person reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agents.support.atomic_file import write_whole


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` indented, in UTF-8, whole or not at all. Raises FileError."""
    write_whole(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")
