"""A match apart from its teams: the rules, the token counter, and the questions to ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agents.core.edition import Edition
from tournament.match.token_counter import TokenCounter
from tournament.teams.protocol import Row


@dataclass(frozen=True)
class MatchDescription:
    """One match under an edition's rules. A log is resumed only by a match of the same description."""

    edition: Edition
    tokens: TokenCounter
    """Counts tokens for the edition's filters."""
    questions: int
    """Asked for in each innings."""
    seed: int = 0
    difficulty: str | None = None
    """easy, medium or hard; None leaves it to the teams."""
    closed_set: Sequence[Row] = field(default_factory=tuple)
    """Canonical questions with keys, answered by both teams after a tie."""
