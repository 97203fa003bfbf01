"""A file of questions as an opponent: it asks its rows as they are, and answers by chance."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from agents.core.edition import Edition
from agents.core.errors import FileError, QuestionError, file_errors
from agents.core.rules import CountTokens, broken_question_rule
from agents.core.schema import read_question
from agents.core.text_file import decode_text
from tournament.teams.protocol import QuestionSpec, Row

MAX_FILE_BYTES = 256 * 1024 * 1024


class FileSource:
    """Rows of a file, in turn from where the seed says. Rows have no proofs."""

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows

    def question(self, request: QuestionSpec) -> Any:
        return self._rows[request.seed % len(self._rows)]

    def proof(self, row: Row) -> Any:
        return None


def read_rows(path: Path) -> list[Any]:
    """The raw rows of a file: a JSON list, ``{"questions": […]}``, an object of lists by topic, JSON lines; .gz or not.

    A row that has no key under ``answer`` and can be read is turned into the canonical form; every other is left as it
    is, for the filter to judge. Raises FileError when there is no row.
    """
    text = _read(path)
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError):
        payload = [_line(line) for line in text.splitlines() if line.strip()]
    if isinstance(payload, dict) and "question" not in payload:
        lists = [payload["questions"]] if "questions" in payload else list(payload.values())
        payload = [row for rows in lists if isinstance(rows, list) for row in rows]
    rows = payload if isinstance(payload, list) else [payload]
    if not any(isinstance(row, dict) for row in rows):
        raise FileError(str(path), "no row that is an object", "a file of questions")
    return [_with_key(row) for row in rows]


def read_closed_set(path: Path, edition: Edition, count_tokens: CountTokens) -> list[Row]:
    """The questions of a file that have a key and pass the filter, in the canonical form. Raises FileError for none."""
    found: list[Row] = []
    for row in read_rows(path):
        try:
            question = read_question(row)
            canonical = question.canonical()
        except QuestionError:
            continue
        if broken_question_rule(canonical, count_tokens, edition) is None:
            found.append(canonical)
    if not found:
        raise FileError(str(path), "no question with a key that passes the filter", "a closed set of questions")
    return found


def _read(path: Path) -> str:
    with (
        file_errors(path, "a readable file of questions"),
        gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file,
    ):
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise FileError(str(path), "a larger file", f"at most {MAX_FILE_BYTES:,} bytes")
    try:
        return decode_text(data)
    except UnicodeDecodeError as error:
        found = f"bytes that are not {error.encoding.upper()} (at {error.start})"
        raise FileError(str(path), found, "a JSON file in UTF-8") from None


def _line(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return line


def _with_key(row: Any) -> Any:
    if not isinstance(row, dict) or "answer" in row:
        return row
    try:
        return read_question(row).canonical()
    except QuestionError:
        return row
