"""A matching puzzle's structure. The clues and questions there are: see ``family``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Clue = tuple[Any, ...]


@dataclass(frozen=True)
class MatchingPuzzle:
    """A matching puzzle's structure."""

    kinds: tuple[str, ...]
    """Attributes, by name."""
    values: tuple[tuple[str, ...], ...]
    """The people's names, then each attribute's values, in their order where they have one."""
    clues: tuple[Clue, ...]
    question: tuple[Any, ...]
    choices: tuple[Any, ...]
    """People or values by place; for ``pair`` two entities each."""
    key: int
    wording: int
