"""Question files as rows with a key, to be scored: read whole, and known by their hash."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.errors import InputError
from agents.models.download import sha256_of
from agents.schema import Question
from training.sources.files import file_rows
from training.sources.source import Dropped


@dataclass(frozen=True)
class KeyedRow:
    """A question with its key, and the source it came from: the one it names, else its file's name."""

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


def read_data(path: Path, *, limit: int | None = None, seed: int = 0) -> DataFile:
    """The rows of a file that can be scored; ``limit`` draws that many of them, the same ones for the same seed.

    A row that is no question, or has no key, is left out and counted under its reason. Raises FileError when the file
    cannot be read and InputError when none of its rows can be used.
    """
    rows: list[KeyedRow] = []
    skipped: Counter[str] = Counter()
    for row in file_rows(path, "test"):
        if isinstance(row, Dropped):
            skipped[row.reason] += 1
        elif row.question.key is not None:
            rows.append(KeyedRow(row.source, row.question, row.question.key))
    if not rows:
        reasons = ", ".join(f"{count} × {reason}" for reason, count in skipped.items()) or "it is empty"
        raise InputError(str(path), f"no usable row ({reasons})", "questions with choices and a key")
    if limit is not None and limit < len(rows):
        rows = random.Random(seed).sample(rows, limit)  # noqa: S311
    return DataFile(path, sha256_of(path), rows, skipped)


def split_halves(rows: Sequence[Any], seed: int) -> tuple[list[int], list[int]]:
    """Two random halves of the rows' indices, the same for the same seed: one to fit on, one to report on."""
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)  # noqa: S311
    middle = len(order) // 2
    return sorted(order[:middle]), sorted(order[middle:])


def dump_json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
