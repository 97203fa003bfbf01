"""How hard a puzzle is: one number with one meaning in every family.

``difficulty = depth + breadth``, both measured on the proof, never guessed from the kind of puzzle:

- **depth** counts the elementary facts that have to be chained: what must be done one after another. A clue that says
  two things counts two, a question that goes through a second person one more.
- **breadth** is in bits: the mean, over those steps, of what is still to be found, log2 of the alternatives open
  before the step over those that remain at the end. It is what must be held in mind at once: one bit is one yes or no.

So a puzzle that is one harder takes one step more, or twice the alternatives at every step. What counts as a step and
as an alternative in a family stands at its ``prove``.

The levels' bands were set where every family has many puzzles in each: easy is about three clues with four bits open
(five people in a row, three of them placed by name), medium about five with four, hard six or more with five, or
fewer that say two things each.
"""

from __future__ import annotations

from typing import Literal

from puzzles.puzzle import DifficultyError

Level = Literal["easy", "medium", "hard"]
LEVELS: dict[Level, tuple[float, float]] = {"easy": (0.0, 7.5), "medium": (7.5, 10.5), "hard": (10.5, 99.0)}
"""Level -> the half-open band of difficulty it means, in every family."""

TARGET_WIDTH = 0.5
"""A puzzle asked for by number differs from that number by at most this."""


def level_of(difficulty: float) -> str:
    """The level whose band holds ``difficulty``."""
    return next((level for level, (low, high) in LEVELS.items() if low <= difficulty < high), "hard")


def band(difficulty: str | float, reach: tuple[float, float], family: str) -> tuple[float, float]:
    """The half-open band of difficulty that is asked for: a level's, or the number ± ``TARGET_WIDTH``.

    ``reach`` is the lowest and the highest number the family makes. Raises DifficultyError for another name than a
    level's, and for a number outside ``reach``.
    """
    if isinstance(difficulty, str):
        if difficulty not in LEVELS:
            raise DifficultyError(f"difficulty: found {difficulty!r}; expected {', '.join(LEVELS)} or a number")
        return LEVELS[difficulty]
    if isinstance(difficulty, bool) or not reach[0] <= difficulty <= reach[1]:
        raise DifficultyError(
            f"difficulty: found {difficulty!r}; expected a number from {reach[0]:g} to {reach[1]:g} for {family}"
        )
    return difficulty - TARGET_WIDTH, difficulty + TARGET_WIDTH
