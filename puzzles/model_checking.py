"""Exhaustive model checking: every model of a puzzle's frame is one bit of an integer.

A *frame* is what holds before any clue (six people on six chairs); a *model* is one way it can be (who sits where). A
statement is the set of models in which it holds, an integer with those bits set. So "and" is ``&``, "not" is
``everything & ~mask``, and "follows from the clues" is one comparison, exact over all models.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from math import log2
from operator import and_
from typing import TypeVar

from puzzles.puzzle import ProofError

T = TypeVar("T", bound=Hashable)


class ModelSpace:
    """All models of a frame. A model gives every variable (by place, from 0) a small whole number."""

    def __init__(self, models: Iterable[Sequence[int]]) -> None:
        self._models = [tuple(model) for model in models]
        self.everything = (1 << len(self._models)) - 1
        self._atoms: list[dict[int, int]] = []
        for column in zip(*self._models, strict=True):
            backwards = column[::-1]
            self._atoms.append(
                {v: int("".join("1" if c == v else "0" for c in backwards), 2) for v in sorted(set(column))}
            )

    def __len__(self) -> int:
        return len(self._models)

    def atom(self, variable: int, value: int) -> int:
        """The models that give ``variable`` that ``value``."""
        return self._atoms[variable].get(value, 0)

    def model(self, index: int) -> tuple[int, ...]:
        """The model at bit ``index``."""
        return self._models[index]

    def index(self, model: Sequence[int]) -> int:
        """The bit of ``model``."""
        mask = self.everything
        for variable, value in enumerate(model):
            mask &= self.atom(variable, value)
        return mask.bit_length() - 1

    def models(self, mask: int, limit: int = 1) -> list[tuple[int, ...]]:
        """The first ``limit`` models of ``mask``."""
        found: list[tuple[int, ...]] = []
        while mask and len(found) < limit:
            found.append(self._models[(mask & -mask).bit_length() - 1])
            mask &= mask - 1
        return found


@dataclass(frozen=True)
class Criterion:
    """What it means that a choice is right, and that a choice is wrong, under a question's wording."""

    right: Callable[[int, int], bool]
    wrong: Callable[[int, int], bool]
    meaning: str


def _always(models: int, choice: int) -> bool:
    return not models & ~choice


def _never(models: int, choice: int) -> bool:
    return not models & choice


def _sometimes(models: int, choice: int) -> bool:
    return bool(models & choice)


def _not_always(models: int, choice: int) -> bool:
    return bool(models & ~choice)


CRITERIA: dict[str, Criterion] = {
    "is": Criterion(_always, _never, "the key holds in every model, every other choice in none"),
    "must": Criterion(_always, _not_always, "the key holds in every model, every other choice fails in at least one"),
    "may": Criterion(_sometimes, _never, "the key holds in at least one model, every other choice in none"),
    "cannot": Criterion(_never, _sometimes, "the key holds in no model, every other choice in at least one"),
    "need not": Criterion(_not_always, _always, "the key fails in at least one model, every other choice in none"),
}
"""Criterion by name: each question type declares which one its wording asks for."""


def decides(models: int, choices: Sequence[int], key: int, criterion: str) -> bool:
    """Whether ``models`` (not empty) prove the key right and every other choice wrong under ``criterion``."""
    rule = CRITERIA[criterion]
    return bool(models) and all(
        rule.right(models, choice) if place == key else rule.wrong(models, choice)
        for place, choice in enumerate(choices)
    )


def conjunction(masks: Iterable[int], everything: int) -> int:
    """The models in which all of ``masks`` hold."""
    return reduce(and_, masks, everything)


def without_each(masks: Sequence[int], everything: int) -> list[int]:
    """For every clue, the models of all the others."""
    return [conjunction((m for j, m in enumerate(masks) if j != i), everything) for i in range(len(masks))]


def choose_clues(
    candidates: Sequence[tuple[T, int]], everything: int, settled: Callable[[int], bool], limit: int
) -> list[tuple[T, int]] | None:
    """A minimal run of clues after which ``settled(models)``: dropping any one of them unsettles it.

    Takes candidates in their order, skipping those that say nothing new. None where they do not settle it, or where
    more than ``limit`` clues remain.
    """
    chosen: list[tuple[T, int]] = []
    models = everything
    for clue, mask in candidates:
        if models & mask != models:
            chosen.append((clue, mask))
            models &= mask
            if settled(models):
                break
    else:
        return None
    for item in list(chosen):
        rest = [c for c in chosen if c is not item]
        if settled(conjunction((mask for _, mask in rest), everything)):
            chosen = rest
    return chosen if len(chosen) <= limit else None


def require_minimal(masks: Sequence[int], everything: int, settled: Callable[[int], bool]) -> None:
    """Raises ProofError where a clue could be dropped and the question would still be settled."""
    for place, models in enumerate(without_each(masks, everything)):
        if settled(models):
            raise ProofError(f"clue {place + 1}: found one that is not needed; expected every clue to be")


def narrowing(masks: Sequence[int], everything: int) -> list[int]:
    """Models left before the first clue and after each, taken in the order in which a good solver takes them: the clue
    that leaves fewest first."""
    left, models, counts = list(masks), everything, [everything.bit_count()]
    while left:
        best = min(left, key=lambda mask: (models & mask).bit_count())
        left.remove(best)
        models &= best
        counts.append(models.bit_count())
    return counts


def breadth(counts: Sequence[int]) -> float:
    """Mean, over the clues, of the bits still to be found before each: log2 of the models open then over those open at
    the end. ``counts`` as ``narrowing`` gives them."""
    return sum(log2(count / counts[-1]) for count in counts[:-1]) / max(1, len(counts) - 1)


def near_misses(
    rng: random.Random, values: dict[T, int], masks: Sequence[int], everything: int, key: T, number: int
) -> list[T] | None:
    """``number`` wrong values that a solver who overlooks one clue would accept, likeliest first, ties by chance.

    A value that no such slip leads to is taken only when there are too few; None when even those do not suffice.
    """
    slips = without_each(masks, everything)
    scored = [
        (sum(1 for models in slips if models & mask), rng.random(), value)
        for value, mask in values.items()
        if value != key
    ]
    scored.sort(key=lambda item: (-item[0], item[1]))
    return [value for _, _, value in scored[:number]] if len(scored) >= number else None
