"""Log-probabilities from an engine -> one score a choice, and scores -> a distribution.

``letter``          the log-prob of each choice's label after a prompt that lists the choices; one run an order
``cloze``           the summed log-prob of each choice's text after the bare question
``cloze_per_byte``  the same divided by the text's UTF-8 length: nats a byte
``cloze_pmi``       the same minus the text's log-prob after no question (domain-conditional PMI, Holtzman et al. 2021,
                    arXiv:2104.08315)

Cloze scores do not depend on the order of the choices, so they have no position to be biased towards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

from agents.core.permutation import Order, correct_prior, normalised, to_choices

Method = Literal["letter", "cloze", "cloze_per_byte", "cloze_pmi"]
METHODS: tuple[Method, ...] = get_args(Method)


def letter_scores(
    by_order: Sequence[tuple[Order, Sequence[float]]], prior: Sequence[float] | None = None
) -> list[float]:
    """Mean log-probability of each choice over the orders it was shown in.

    ``by_order`` pairs an order with the label log-probs by place. With ``prior``, each order is corrected for the
    label's place first; over a full cycle that changes nothing, over fewer orders it takes out what has not cancelled.
    """
    if not by_order:
        raise ValueError("no order to score")
    total = [0.0] * len(by_order[0][0])
    for order, logprobs in by_order:
        by_place = normalised(logprobs) if prior is None else correct_prior(logprobs, prior)
        total = [sum_i + value for sum_i, value in zip(total, to_choices(order, by_place), strict=True)]
    return [value / len(by_order) for value in total]


def cloze_scores(
    method: Method,
    choices: Sequence[str],
    conditional: Sequence[Sequence[float]],
    unconditional: Sequence[Sequence[float]] | None = None,
) -> list[float]:
    """One score a choice from the log-probs of its tokens; ``unconditional`` is needed by ``cloze_pmi`` alone.

    ``choices`` are the texts whose tokens these are. A choice without tokens gets the least of the others' scores.
    """
    summed = [math.fsum(tokens) for tokens in conditional]
    if method == "cloze":
        scores = summed
    elif method == "cloze_per_byte":
        scores = [value / max(len(choice.encode()), 1) for value, choice in zip(summed, choices, strict=True)]
    elif method == "cloze_pmi" and unconditional is not None:
        scores = [value - math.fsum(tokens) for value, tokens in zip(summed, unconditional, strict=True)]
    else:
        raise ValueError(f"{method} cannot be scored from these log-probabilities")
    least = min((score for score, tokens in zip(scores, conditional, strict=True) if tokens), default=0.0)
    return [score if tokens else least for score, tokens in zip(scores, conditional, strict=True)]


def distribution(scores: Sequence[float], temperature: float = 1.0) -> list[float]:
    """The softmax of ``scores / temperature``. A higher temperature is a flatter distribution."""
    return [math.exp(value) for value in normalised([score / temperature for score in scores])]
