"""A seating puzzle's structure."""

from __future__ import annotations

from dataclasses import dataclass

from puzzles.seating.frame import Clue
from puzzles.seating.questions import SeatingChoice, SeatingQuestion


@dataclass(frozen=True)
class SeatingPuzzle:
    """A seating puzzle's structure. People are numbered as in ``names``; see ``seating.frame`` for the clues."""

    shape: str
    turns: tuple[int, ...]
    names: tuple[str, ...]
    clues: tuple[Clue, ...]
    question: SeatingQuestion
    choices: tuple[SeatingChoice, ...]
    key: int
    wording: int
    """Seed of the phrasing."""
