"""A series puzzle's structure."""

from __future__ import annotations

from dataclasses import dataclass

LETTER, NUMBER = "L", "N"


@dataclass(frozen=True)
class SeriesPuzzle:
    """A series' structure. Letters are numbers from 0."""

    style: str
    """``terms`` (each term has all parts), ``turns`` (parts by turns), ``pattern`` (letters with blanks)."""
    parts: tuple[str, ...]
    """L or N for each part."""
    shown: tuple[tuple[int | None, ...], ...]
    """Each part's values, None where hidden; of a pattern one part."""
    separator: str
    choices: tuple[tuple[int, ...], ...]
    """Each a value for every hidden place."""
    key: int
    wording: int
