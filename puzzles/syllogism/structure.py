"""A syllogism's structure. The questions there are: see ``family``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from puzzles.syllogism.logic import Proposition


@dataclass(frozen=True)
class SyllogismPuzzle:
    """A syllogism's structure. Terms are numbers, named by ``terms``."""

    terms: tuple[str, ...]
    premises: tuple[Proposition, ...]
    conclusions: tuple[Proposition, ...]
    """Two for ``verdict``, three for ``subset``, none where the choices are the statements."""
    kind: str
    choices: tuple[Any, ...]
    key: int
    wording: int
