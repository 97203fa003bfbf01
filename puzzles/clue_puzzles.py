"""What all families of clues over a finite frame share: how clues and choices are drawn, and how they are proved."""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from puzzles.family import Proof, shuffled_choices
from puzzles.model_checking import (
    CRITERIA,
    ModelSpace,
    breadth,
    choose_clues,
    conjunction,
    decides,
    narrowing,
    near_misses,
    require_minimal,
)
from puzzles.puzzle import CHOICES, ProofError

C = TypeVar("C", bound=Hashable)
V = TypeVar("V", bound=Hashable)


class Drawn(NamedTuple):
    clues: tuple[Any, ...]
    choices: tuple[Any, ...]
    key: int


def weighted_order(rng: random.Random, statements: Iterable[tuple[C, int, float]]) -> list[tuple[C, int]]:
    """Statements (each with its models and weight) in random order, the heavier likelier to come early."""
    keyed = [(rng.random() ** (1 / weight), clue, mask) for clue, mask, weight in statements]
    keyed.sort(key=lambda item: -item[0])
    return [(clue, mask) for _, clue, mask in keyed]


def draw_clues(
    rng: random.Random,
    candidates: Sequence[tuple[C, int]],
    offered: Mapping[V, int],
    key: V,
    criterion: str,
    everything: int,
    limit: int,
) -> Drawn | None:
    """A minimal run of at most ``limit`` clues that proves ``key``, and three near misses that it proves wrong.

    ``candidates`` hold in the wanted solution, in the order they are tried; ``offered`` gives the models of every value
    that may become a choice. No single clue may settle the question. None where this comes to nothing.
    """
    rule = CRITERIA[criterion]

    def settled(models: int) -> bool:
        return rule.right(models, offered[key])

    clues = choose_clues([c for c in candidates if not settled(c[1])], everything, settled, limit)
    if clues is None:
        return None
    masks = [mask for _, mask in clues]
    models = conjunction(masks, everything)
    possible = {v: mask for v, mask in offered.items() if v == key or rule.wrong(models, mask)}
    others = near_misses(rng, possible, masks, everything, key, CHOICES - 1)
    if others is None:
        return None
    choices, place = shuffled_choices(rng, key, others)
    return Drawn(tuple(clue for clue, _ in rng.sample(clues, len(clues))), choices, place)


def prove_by_models(
    space: ModelSpace, masks: Sequence[int], choices: Sequence[int], key: int, criterion: str, depth: float
) -> Proof:
    """The proof over all models of ``space``. Raises ProofError unless the clues (``masks``) prove the key right and
    every other choice wrong under ``criterion``, and fail to without any one of them."""
    if criterion not in CRITERIA or len(choices) != CHOICES or key not in range(CHOICES):
        raise ProofError(
            f"certificate: found {len(choices)} choices, key {key!r}, {criterion!r}; expected four, a place"
        )
    models = conjunction(masks, space.everything)
    if not decides(models, choices, key, criterion):
        raise ProofError(f"key: found one that is not proved; expected that {CRITERIA[criterion].meaning}")
    require_minimal(masks, space.everything, lambda left: decides(left, choices, key, criterion))
    counts = narrowing(masks, space.everything)
    findings: dict[str, Any] = {
        "criterion": CRITERIA[criterion].meaning,
        "models": models.bit_count(),
        "witness": list(space.models(models)[0]),
        "narrowing": counts,
        "choice_models": [(models & mask).bit_count() for mask in choices],
    }
    return Proof(depth, breadth(counts), findings)
