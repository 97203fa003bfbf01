"""Question files as rows with a key: JSON Lines or JSON, plain or gzipped, in any shape ``agents.schema`` reads."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.errors import FileError, InputError, QuestionError
from agents.schema import Question, read_question, read_questions


@dataclass(frozen=True)
class KeyedRow:
    """A question with its key, and the source it came from."""

    source: str
    question: Question
    key: int


@dataclass(frozen=True)
class DataFile:
    """The rows read from one file, why others were left out, and the file's SHA-256."""

    path: Path
    sha256: str
    rows: list[KeyedRow]
    skipped: Counter[str]


def find_data(name: str) -> Path:
    """A data file by path, or by name in the folder ``AIAC_DATA_DIR``. Raises FileError."""
    places = [Path(name)]
    if folder := os.environ.get("AIAC_DATA_DIR"):
        places.append(Path(folder) / name)
    for place in places:
        if place.is_file():
            return place
    looked = ", ".join(str(place) for place in places)
    raise FileError("data", f"no file {name}", f"a path, or a name in the folder AIAC_DATA_DIR (looked at {looked})")


def read_data(path: Path, *, limit: int | None = None, seed: int = 0) -> DataFile:
    """The rows of a file that can be scored; ``limit`` draws that many of them, the same ones for the same seed.

    A row that is no question, or has no key, is left out and counted under its reason. Raises FileError when the file
    cannot be read and InputError when none of its rows can be used.
    """
    source = path.name.split(".")[0]
    rows: list[KeyedRow] = []
    skipped: Counter[str] = Counter()
    raw = _read_bytes(path)
    for row in _rows(raw, path):
        if not isinstance(row, Question):
            skipped[row.split(":")[0]] += 1
        elif row.key is None:
            skipped["no key"] += 1
        else:
            rows.append(KeyedRow(source, row, row.key))
    if not rows:
        reasons = ", ".join(f"{count} × {reason}" for reason, count in skipped.items()) or "it is empty"
        raise InputError(str(path), f"no usable row ({reasons})", "questions with choices and a key")
    if limit is not None and limit < len(rows):
        rows = random.Random(seed).sample(rows, limit)  # noqa: S311
    return DataFile(path, hashlib.sha256(raw).hexdigest(), rows, skipped)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(str(path), str(error.strerror), "a readable file") from None


def _rows(raw: bytes, path: Path) -> Iterator[Question | str]:
    """Questions, or the sentence that says why a row is none."""
    try:
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise FileError(str(path), f"unreadable contents ({error})", "UTF-8 text, gzipped if it ends in .gz") from None
    if ".jsonl" in path.suffixes:
        # Not splitlines: JSON text may hold other line ends, such as U+2028, inside a string.
        for line in filter(str.strip, text.split("\n")):
            yield _question_or_reason(line)
        return
    for row in read_questions(text):
        yield row if isinstance(row, Question) else row.reason


def _question_or_reason(line: str) -> Question | str:
    try:
        return read_question(line)
    except QuestionError as error:
        return str(error)


def split_halves(rows: Sequence[Any], seed: int) -> tuple[list[int], list[int]]:
    """Two random halves of the rows' indices, the same for the same seed: one to fit on, one to report on."""
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)  # noqa: S311
    middle = len(order) // 2
    return sorted(order[:middle]), sorted(order[middle:])


def dump_json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
