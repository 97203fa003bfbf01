"""Text that other teams wrote, on its way in: read within bounds, kept only as far as anything here looks at it."""

from __future__ import annotations

import json
import math
from typing import Any

from agents.core.errors import first_line, system_reason

MAX_ROW_BYTES = 65_536
"""The most bytes that one question or answer may take."""
MAX_DEPTH = 6
"""Nesting of a value that is kept. A question needs two."""
MAX_TEXT_CHARS = 4_000
"""Of a text that is only shown."""
QUESTION_FIELDS = ("id", "topic", "question", "choices", "answer", "explanation", "difficulty")
ANSWER_FIELDS = ("answer", "reasoning")


def parse_json(data: bytes) -> Any:
    """The JSON value in ``data``. Raises ValueError, and nothing else, for whatever is none."""
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("nested too deep") from None


def parsed_row(row: Any) -> Any:
    """What JSON text stands for, as the filters take it; anything else as it is."""
    if not isinstance(row, str):
        return row
    try:
        return json.loads(row)
    except (ValueError, RecursionError):
        return row


def kept_question(row: Any) -> Any:
    """What is stored of a row that should be a question: the fields the rules look at, word for word.

    The filter decides the same on it as on ``row``; JSON text of an object is taken for the object, as the filter does.
    """
    row = parsed_row(row)
    if isinstance(row, dict):
        return {field: _kept(row[field], 0) for field in QUESTION_FIELDS if field in row}
    return _kept(_shown(row), 0)


def kept_answer(row: Any) -> Any:
    """What is stored of a row that should be an answer. It has been judged before: long texts are cut short."""
    row = parsed_row(row)
    if isinstance(row, dict):
        return {field: _kept(_shown(row[field]), 0) for field in ANSWER_FIELDS if field in row}
    return _kept(_shown(row), 0)


def clip(text: str, limit: int = MAX_TEXT_CHARS) -> str:
    return text if len(text) <= limit else text[:limit] + "…"


def printable(text: str) -> str:
    """``text`` with control characters and lone surrogates escaped, line breaks and tabs kept."""
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


def reason_of(error: Exception) -> str:
    """Return why reading a team's file failed, printable: the system's reason, or what a parser says first."""
    return system_reason(error) if isinstance(error, OSError) else printable(first_line(error))


def _shown(value: Any) -> Any:
    return clip(value) if isinstance(value, str) else value


def _kept(value: Any, depth: int) -> Any:
    # What is left out keeps its type: the filter must not find text where there was none.
    if isinstance(value, (list, dict)) and depth >= MAX_DEPTH:
        return type(value)()
    if isinstance(value, list):
        return [_kept(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {str(key): _kept(item, depth + 1) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
