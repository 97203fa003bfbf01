"""A truth-teller puzzle's structure. The clues, statements and questions there are: see ``family``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Statement = tuple[Any, ...]
Clue = tuple[Any, ...]


@dataclass(frozen=True)
class TruthTellerPuzzle:
    """A truth-teller puzzle's structure."""

    names: tuple[str, ...]
    word: str
    """The word for one who tells the truth."""
    deed: str
    """What one of them did; empty where the question is only who lies."""
    clues: tuple[Clue, ...]
    question: tuple[Any, ...]
    choices: tuple[Any, ...]
    key: int
    wording: int
