"""Pooling of weighted distributions, all at once or as they arrive."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

Pooling = Literal["linear", "logarithmic"]
FLOOR = 1e-12
"""The least probability a logarithmic pool reads: one member's zero must not veto all the others."""


def pool_distributions(
    pooling: Pooling, distributions: Sequence[Sequence[float]], weights: Sequence[float]
) -> list[float]:
    """One distribution out of several over the same choices.

    Linear: the weighted mean of probabilities. Logarithmic: the normalised weighted geometric mean (Genest and Zidek
    1986). Weights need not sum to one. Raises ValueError when there is nothing of positive weight to pool.
    """
    total = math.fsum(weights)
    if not distributions or total <= 0:
        raise ValueError("nothing of positive weight to pool")
    columns = list(zip(*distributions, strict=True))
    if pooling == "linear":
        pooled = [math.fsum(w * p for w, p in zip(weights, column, strict=True)) for column in columns]
    else:
        logs = [
            math.fsum(w * math.log(max(p, FLOOR)) for w, p in zip(weights, column, strict=True)) / total
            for column in columns
        ]
        pooled = [math.exp(value - max(logs)) for value in logs]
    scale = math.fsum(pooled)
    return [value / scale for value in pooled]


def likeliest(scores: Sequence[float]) -> int:
    """Return the place of the greatest score, the first of equal ones: the choice that is answered."""
    return max(range(len(scores)), key=scores.__getitem__)


class AnytimePooling:
    """The pool of what has arrived so far. A member may report again with more evidence; its last word counts."""

    def __init__(self, pooling: Pooling, weights: Mapping[str, float]) -> None:
        self._pooling = pooling
        self._weights = dict(weights)
        self._reported: dict[str, list[float]] = {}

    def report(self, member: str, distribution: Sequence[float]) -> None:
        """Takes a member's distribution in. Raises KeyError for a member without a weight."""
        if member not in self._weights:
            raise KeyError(member)
        self._reported[member] = list(distribution)

    def current(self) -> list[float] | None:
        """The pooled distribution of the members that have reported, or None while none of positive weight has."""
        members = [member for member in self._reported if self._weights[member] > 0]
        if not members:
            return None
        return pool_distributions(
            self._pooling, [self._reported[member] for member in members], [self._weights[member] for member in members]
        )
