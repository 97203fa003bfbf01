"""How far a team's stated probabilities can be believed: confidence against how often it was right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agents.core.schema import LETTERS
from tournament.match.scoreboard import Innings
from tournament.report.losses import key_letter

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Answers of about one confidence."""

    answers: int
    confidence: float
    """Their mean probability of the letter they were most sure of."""
    right: float
    """The share of them for which that letter was the key."""


def calibration(innings: Innings) -> list[Bin]:
    """The answerer's bins of equal width, empty ones left out; empty where it never gave probabilities."""
    pairs = []
    for answer in innings.answers.values():
        if answer.probabilities is not None:
            best = max(answer.probabilities)
            letter = LETTERS[answer.probabilities.index(best)]
            pairs.append((best, letter == key_letter(innings, answer.index)))
    return list(_bins(pairs))


def _bins(pairs: list[tuple[float, bool]]) -> Iterable[Bin]:
    for place in range(BINS):
        inside = [pair for pair in pairs if min(int(pair[0] * BINS), BINS - 1) == place]
        if inside:
            n = len(inside)
            yield Bin(n, sum(confidence for confidence, _ in inside) / n, sum(right for _, right in inside) / n)
