"""Proved puzzles as a source of rows: made as they are asked for, licensed as this project is, on no hub.

**Splits share nothing.** A puzzle belongs to the split that the first digit of its structural fingerprint says, so no
structure is in two splits, whatever the seeds, the number of rows or the wording. The seeds they are made from differ
as well.

**Difficulty.** What ``puzzles.difficulty`` measures on a proof is a number of steps and bits without an end. Rows carry
``relative_difficulty``: that number on [0, 1], with each level a third. How it is put beside the difficulties of other
sources says ``training.curation.build``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import cast

from agents.core.schema import Question
from puzzles import FAMILIES, LEVELS, Puzzle, stream
from puzzles.generator import Difficulty
from training.sources.source import SPLITS, Proved, SourceRow, Split

PUZZLES = "puzzles"
"""The name that the source is read by."""

DIGITS: Mapping[Split, str] = {"train": "0123456789", "validation": "abc", "test": "def"}
"""First digits of the fingerprints of each split: five eighths to train on, and enough in the others to be quick."""

HARDEST = 16.5
"""The measured difficulty from which a row counts as hardest. Hardly a puzzle is above it."""


def puzzle_rows(split: Split, *, seed: int = 0) -> Iterator[SourceRow]:
    """Rows without end, no two of one structure: each family at each level in turn, so any first ones are balanced.

    ``subject`` and the question's topic are the family. The same seed gives the same rows.
    """
    streams = [
        _of_split(split, stream(family, cast(Difficulty, level), len(SPLITS) * seed + SPLITS.index(split)))
        for level in LEVELS
        for family in FAMILIES
    ]
    for puzzle in chain.from_iterable(zip(*streams, strict=True)):
        yield _row(puzzle, split)


def relative_difficulty(difficulty: float) -> float:
    """A measured difficulty on [0, 1]: linear within a level, easy in the first third, medium and hard in the others.

    From ``HARDEST`` on it is 1.
    """
    import numpy as np

    bounds = [*(low for low, _ in LEVELS.values()), HARDEST]
    return float(np.interp(difficulty, bounds, np.linspace(0, 1, len(bounds))))


def _of_split(split: Split, puzzles: Iterator[Puzzle]) -> Iterator[Puzzle]:
    return (puzzle for puzzle in puzzles if puzzle.fingerprint[0] in DIGITS[split])


def _row(puzzle: Puzzle, split: Split) -> SourceRow:
    return SourceRow(
        id=f"{PUZZLES}/{split}/{puzzle.family}-{puzzle.level}-{puzzle.fingerprint}",
        source=PUZZLES,
        split=split,
        subject=puzzle.family,
        question=Question(puzzle.question, puzzle.choices, topic=puzzle.family, key=puzzle.key),
        proved=Proved(
            difficulty=relative_difficulty(puzzle.difficulty),
            level=puzzle.level,
            fingerprint=puzzle.fingerprint,
            explanation=puzzle.explanation,
        ),
    )
