"""Propositions over terms, and what follows from them: exact, over all Venn diagrams.

A *region* is a set of terms, a number whose bit ``i`` says whether term ``i`` is in it; a set of regions is again a
number. A model is the set of regions that are inhabited. By the convention of Indian competitive exams every term has
something in it (existential import), "only a few X are Y" says that some are and some are not, "only X are Y" that all
Y are X, and "a few" and "at least some" mean "some".

A premise says of a set of regions that it is empty, or that it is not. So among the models of the premises there is a
largest one, and for every set S one that is largest outside S. Whatever fails in some model fails in one of those: the
decisions below are exact although they look at one model each. (The tests compare them with all models.)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import log2
from typing import NamedTuple

Proposition = tuple[str, int, int]
"""A kind and two terms: ``all x y``, ``no x y``, ``some x y``, ``some not x y``, ``only x y``, ``few x y``, and the
possibilities ``may all x y``, ``may some x y``."""

MODAL = "may "


class Claims(NamedTuple):
    """What a proposition says: these regions are empty; each of those sets has something in it."""

    empty: int
    inhabited: tuple[int, ...]


class Premises(NamedTuple):
    """All premises together. Every set in ``inhabited`` is without the regions that are empty."""

    terms: int
    empty: int
    inhabited: tuple[int, ...]

    @property
    def consistent(self) -> bool:
        """Whether there is a model at all."""
        return all(self.inhabited)


@lru_cache(maxsize=64)
def regions(terms: int, inside: int, outside: int = -1) -> int:
    """The set of regions in term ``inside``, and not in term ``outside`` where that is given."""
    return sum(
        1 << region
        for region in range(1 << terms)
        if region >> inside & 1 and (outside < 0 or not region >> outside & 1)
    )


@lru_cache(maxsize=1024)
def claims(terms: int, proposition: Proposition) -> Claims:
    """What ``proposition`` says (a possibility: what it says to be possible). Raises KeyError for an unknown kind."""
    kind, x, y = proposition
    both = regions(terms, x) & regions(terms, y)
    only_x, only_y = regions(terms, x, y), regions(terms, y, x)
    return {
        "all": Claims(only_x, ()),
        "no": Claims(both, ()),
        "some": Claims(0, (both,)),
        "some not": Claims(0, (only_x,)),
        "only": Claims(only_y, ()),
        "few": Claims(0, (both, only_x)),
    }[kind.removeprefix(MODAL)]


def together(terms: int, propositions: Sequence[Proposition]) -> Premises:
    """The premises' joint content, existential import included."""
    said = [claims(terms, proposition) for proposition in propositions]
    empty = 0
    for claim in said:
        empty |= claim.empty
    sets = [regions(terms, term) for term in range(terms)] + [part for claim in said for part in claim.inhabited]
    return Premises(terms, empty, tuple(part & ~empty for part in sets))


def with_claims(premises: Premises, claim: Claims) -> Premises:
    """The premises and one claim more."""
    empty = premises.empty | claim.empty
    sets = (*premises.inhabited, *claim.inhabited)
    return Premises(premises.terms, empty, tuple(part & ~empty for part in sets))


def possible(premises: Premises, proposition: Proposition) -> bool:
    """Whether the proposition holds in at least one model."""
    return with_claims(premises, claims(premises.terms, proposition)).consistent


def certain(premises: Premises, proposition: Proposition) -> bool:
    """Whether the proposition (no possibility) holds in every model. The premises must be consistent."""
    claim = claims(premises.terms, proposition)
    return not claim.empty & ~premises.empty and all(
        any(not part & ~wanted for part in premises.inhabited) for wanted in claim.inhabited
    )


def follows(premises: Premises, conclusion: Proposition) -> bool:
    """Whether a conclusion follows: certain, or, of a possibility, possible."""
    if conclusion[0].startswith(MODAL):
        return possible(premises, conclusion)
    return certain(premises, conclusion)


_OPPOSITES = {"all": "some not", "some not": "all", "no": "some", "some": "no"}


def contradictory(p: Proposition, q: Proposition) -> bool:
    """Whether exactly one of the two holds in every model, by form alone: the pairs all / some not and some / no."""
    if _OPPOSITES.get(p[0]) != q[0]:
        return False
    return p[1:] == q[1:] or (p[0] in ("some", "no") and p[1:] == q[:0:-1])


def one_holds(premises: Premises, p: Proposition, q: Proposition) -> bool:
    """Whether in every model at least one of the two holds (neither a possibility, nor "only a few")."""
    first, second = claims(premises.terms, p), claims(premises.terms, q)
    denied = premises
    for claim in (first, second):
        # What denies "empty" is "inhabited", and the other way round.
        parts = (claim.empty,) if claim.empty else ()
        denied = with_claims(denied, Claims(sum(claim.inhabited), parts))
    return not denied.consistent


def open_relations(premises: Premises, x: int, y: int) -> float:
    """Bits left open between two terms: log2 of how many of Euler's five relations (equal, inside, around, overlapping,
    apart) the premises allow."""
    both = regions(premises.terms, x) & regions(premises.terms, y)
    only_x, only_y = regions(premises.terms, x, y), regions(premises.terms, y, x)
    euler = (
        Claims(only_x | only_y, (both,)),
        Claims(only_x, (both, only_y)),
        Claims(only_y, (both, only_x)),
        Claims(0, (both, only_x, only_y)),
        Claims(both, (only_x, only_y)),
    )
    return log2(sum(with_claims(premises, claim).consistent for claim in euler))


def path(premises: Sequence[Proposition], x: int, y: int) -> set[int]:
    """Places of the premises on the way from term x to term y. Empty when there is none; the premises form a tree."""
    stack: list[tuple[int, frozenset[int]]] = [(x, frozenset())]
    while stack:
        term, used = stack.pop()
        if term == y:
            return set(used)
        for place, (_, a, b) in enumerate(premises):
            if place not in used and term in (a, b):
                stack.append((b if term == a else a, used | {place}))
    return set()
