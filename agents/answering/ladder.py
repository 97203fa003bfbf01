"""The ladder: what members that share an engine can be asked for, from everything down to one step of one of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Literal

RungKind = Literal["full", "fewer orders", "fewer members"]
_value = attrgetter("value")


@dataclass(frozen=True)
class Offer:
    """What a member could add to an answer: its pool weight, and the steps and seconds a step that it takes."""

    member: str
    weight: float
    steps: int
    step_s: float

    @property
    def value(self) -> float:
        """Weight a second of one step."""
        return self.weight / self.step_s if self.step_s > 0 else float("inf")


@dataclass(frozen=True)
class Rung:
    """Steps by member, those left out not among them, and the seconds of engine time they take together."""

    kind: RungKind
    steps: dict[str, int]
    cost_s: float


def rungs(offers: Sequence[Offer]) -> Iterator[Rung]:
    """From the fullest to the cheapest; each costs less than the one before it, as long as steps cost anything.

    First orders are halved, one member at a time, down to one each; then members are left out. Whatever gives up the
    least pool weight a second goes first. A member's weight is spread evenly over its halvings, the first order
    included: the later orders of many add less to a vote than the first ones do.
    """
    if not offers:
        return
    steps = {offer.member: offer.steps for offer in offers}
    yield _rung("full", steps, offers)
    halvings = [(loss, offer.member, left) for offer in offers for loss, left in _halvings(offer)]
    # Those of one member stay in order: each saves less than the one before it, so it gives up more a second.
    for _, member, left in sorted(halvings, key=itemgetter(0)):
        steps[member] = left
        yield _rung("fewer orders", steps, offers)
    kept = best(offers)
    for offer in sorted(offers, key=_value):
        if offer is not kept:
            del steps[offer.member]
            yield _rung("fewer members", steps, offers)


def best(offers: Sequence[Offer]) -> Offer:
    """The member of which the last of ``rungs`` asks one step. There must be an offer."""
    return max(offers, key=_value)


def _halvings(offer: Offer) -> list[tuple[float, int]]:
    """Each halving of the orders: the weight it gives up a second that it saves, and how many orders it leaves."""
    counts = [offer.steps]
    while counts[-1] > 1:
        counts.append(counts[-1] // 2)
    # The value of one step, since a halving gives up the weight's share of one and saves that many steps.
    value = offer.value / len(counts)
    return [(value / (before - after), after) for before, after in itertools.pairwise(counts)]


def _rung(kind: RungKind, steps: dict[str, int], offers: Sequence[Offer]) -> Rung:
    cost_s = sum(steps[offer.member] * offer.step_s for offer in offers if offer.member in steps)
    return Rung(kind, dict(steps), cost_s)
