"""Rows with a key, to be scored: of a question file, read whole, or held-out puzzles; both known by their hash."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from agents.core.errors import InputError
from agents.core.schema import Question
from agents.models.download import sha256_of
from training.curation.collect import Tally, read_keyed
from training.sources import PUZZLES, read_source
from training.sources.files import file_rows, find_data
from training.sources.source import Dropped, SourceRow, Split


@dataclass(frozen=True)
class KeyedRow:
    """A question with its key, and the source it came from: the one it names, else its file's name.

    ``level`` is how hard it is, where its source measures that.
    """

    source: str
    question: Question
    key: int
    level: str | None = None


@dataclass(frozen=True)
class DataFile:
    """The rows read from one file, why others were left out, and its SHA-256. Of puzzles it is that of the rows."""

    name: str
    sha256: str
    rows: list[KeyedRow]
    skipped: Counter[str]


def named_data(name: str, *, limit: int | None = None, seed: int = 0) -> DataFile:
    """The rows of a question file by its path or its name in AIAC_DATA_DIR, or of ``puzzles:SPLIT``.

    Of a file, ``limit`` and ``seed`` are those of ``read_data``; of puzzles ``limit`` rows are made, balanced over
    families and levels. Raises as ``read_data`` does, and InputError for puzzles without a limit or of no known split.
    """
    if not is_made(name):
        return read_data(find_data(name), limit=limit, seed=seed)
    split = name.removeprefix(PUZZLES).removeprefix(":")
    tally = Tally()
    # What is no split is refused by the source itself.
    made = read_source(PUZZLES, cast(Split, split), seed=seed, limit=limit)
    rows = list(map(_keyed, read_keyed(made, tally, lambda rows: None)))
    return DataFile(name, tally.content_sha256, rows, Counter())


def is_made(name: str) -> bool:
    """Whether ``named_data`` makes these rows, so that no file needs to be there."""
    return name.partition(":")[0] == PUZZLES


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
        else:
            rows.append(_keyed(row))
    if not rows:
        reasons = ", ".join(f"{count} × {reason}" for reason, count in skipped.items()) or "it is empty"
        raise InputError(str(path), f"no usable row ({reasons})", "questions with choices and a key")
    if limit is not None and limit < len(rows):
        rows = random.Random(seed).sample(rows, limit)  # noqa: S311
    return DataFile(path.name, sha256_of(path), rows, skipped)


def _keyed(row: SourceRow) -> KeyedRow:
    if row.question.key is None:
        raise ValueError("a source's row without a key")
    return KeyedRow(row.source, row.question, row.question.key, None if row.proved is None else row.proved.level)
