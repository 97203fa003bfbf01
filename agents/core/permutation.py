"""Orders of the choices and their inverse; the bias towards a position, estimated and taken out.

An order is a tuple: ``order[i]`` is the choice shown at place ``i``. Estimation and correction follow PriDe (Zheng et
al. 2024, "Large Language Models Are Not Robust Multiple Choice Selectors", arXiv:2309.03882, section 4): the model's
belief in a label is taken for the product of a prior over labels and a belief in the choice shown there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

Order = tuple[int, ...]


def cyclic_orders(n: int, count: int | None = None) -> list[Order]:
    """``count`` rotations of ``n`` choices, evenly spaced, the given order first; all ``n`` of them when None."""
    count = n if count is None else min(count, n)
    return [tuple((place + shift) % n for place in range(n)) for shift in (round(i * n / count) for i in range(count))]


def all_orders(n: int) -> list[Order]:
    """All n! orders, the given one first."""
    return list(itertools.permutations(range(n)))


def to_choices(order: Order, by_place: Sequence[float]) -> list[float]:
    """Values by place, as shown, turned into values by choice. The inverse of showing choices in ``order``."""
    by_choice = [0.0] * len(order)
    for place, choice in enumerate(order):
        by_choice[choice] = by_place[place]
    return by_choice


def normalised(logprobs: Sequence[float]) -> list[float]:
    """Log-probabilities shifted so that their exponentials sum to one."""
    top = max(logprobs)
    total = top + math.log(sum(math.exp(value - top) for value in logprobs))
    return [value - total for value in logprobs]


def estimate_prior(questions: Sequence[Sequence[Sequence[float]]]) -> list[float]:
    """The probability a model gives to each label for its place alone.

    ``questions[q][s][i]`` is the log-prob of label ``i`` on question ``q`` under its cyclic order ``s``. Over a full
    cycle every choice stands at every place once, so the mean log-prob of a label is its prior and a constant; priors
    are averaged over the questions (PriDe, equations 7 and 8). Raises ValueError without a question or with orders
    that are not a full cycle: one choice would weigh more than another.
    """
    if not questions:
        raise ValueError("no question to estimate a prior from")
    n = len(questions[0][0])
    total = [0.0] * n
    for orders in questions:
        if len(orders) != n or any(len(labels) != n for labels in orders):
            raise ValueError(f"a prior over {n} labels needs {n} cyclic orders of {n} labels for every question")
        mean = normalised([sum(normalised(labels)[i] for labels in orders) / n for i in range(n)])
        total = [sum_i + math.exp(mean_i) for sum_i, mean_i in zip(total, mean, strict=True)]
    return [value / len(questions) for value in total]


def correct_prior(logprobs: Sequence[float], prior: Sequence[float]) -> list[float]:
    """Log-probs by place with the label prior divided out and renormalised (PriDe, equation 6)."""
    return normalised([value - math.log(p) for value, p in zip(logprobs, prior, strict=True)])
