"""What a chain of relations can mean: "my mother's brother's only son", in every family that fits.

A step to a son, daughter, brother or sister may lead to somebody already spoken of ("my father's son" may be I) or to
somebody new; every way is followed. A step to a parent or a spouse leads to one person. What else might coincide, by a
marriage elsewhere in the family, changes no relation that a chain proves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from puzzles.blood_relation.kinship import LINKS, Kin
from puzzles.puzzle import ProofError

Step = tuple[str, bool]
"""A link, and whether it is the only one of its kind ("only son")."""

Facts = Sequence[tuple[str, int, int]]
"""Links with people: ``father a b`` says that a is the father of b."""


MAX_STEPS = 8
"""Bounds a chain. Nine or more siblings in a row have over 20,000 families; ours are drawn with at most 8 links."""


class _Only(NamedTuple):
    """There is one person of that gender among the couple's children, ``besides`` not counted."""

    couple: int
    gender: str
    besides: int | None


class Ending(NamedTuple):
    """One family that fits a chain, with the person at its end."""

    kin: Kin
    end: int
    only: tuple[_Only, ...]


def endings(gender: str, steps: Sequence[Step]) -> list[Ending]:
    """Every family, up to names, in which the chain can be followed from a speaker (person 0) of that gender.

    Raises ProofError for more than ``MAX_STEPS``: the families multiply with each.
    """
    if len(steps) > MAX_STEPS:
        raise ProofError(f"steps: found {len(steps)}; expected at most {MAX_STEPS}")
    kin = Kin()
    kin.add(gender)
    found = [Ending(kin, 0, ())]
    for step in steps:
        found = [after for before in found for after in _follow(before, step)]
    return found


def tree(people: int, facts: Facts) -> Kin | None:
    """The family of people 0 to ``people`` - 1 that the facts describe, in whatever order they come.

    None where they contradict each other, or do not connect everybody by one fact for each person but the first.
    """
    kin = Kin()
    for _ in range(people):
        kin.add()
    left, placed = list(facts), {0}
    while left:
        fact = next((f for f in left if (f[1] in placed) != (f[2] in placed)), None)
        if fact is None:
            return None
        left.remove(fact)
        name, a, b = fact
        agrees = kin.link(name, a, b) if b in placed else _link_back(kin, name, a, b)
        if not agrees:
            return None
        placed |= {a, b}
    return kin if len(placed) == people else None


def _link_back(kin: Kin, name: str, old: int, new: int) -> bool:
    """``old`` is the father, son, … of ``new``, who has no relative yet and whose gender only a spouse's shows."""
    basic, gender = LINKS[name]
    if kin.gender[old] not in (None, gender):
        return False
    kin.gender[old] = gender
    if basic == "parent":
        kin.origin[new] = kin.married_in(old)
    elif basic == "child":
        kin.marriage[new] = kin.born_to(old)
    elif basic == "sibling":
        kin.origin[new] = kin.born_to(old)
    else:
        kin.marriage[new] = kin.married_in(old)
    return kin.settle_genders()


def _follow(before: Ending, step: Step) -> list[Ending]:
    kin, person, limits = before
    name, only = step
    basic, gender = LINKS[name]
    if basic in ("parent", "spouse"):
        known = [
            p for p in (kin.parents(person) if basic == "parent" else kin.spouses(person)) if kin.gender[p] == gender
        ]
        if known:
            return [Ending(kin, known[0], limits)]
        ending = _grown(before, name, limits)
        return [ending] if ending else []
    if only:
        kin = kin.copy()
        couple = kin.married_in(person) if basic == "child" else kin.born_to(person)
        limits = (*limits, _Only(couple, gender, None if basic == "child" else person))
        before = Ending(kin, person, limits)
    known = kin.offspring(person) if basic == "child" else kin.siblings(person)
    found = [Ending(kin, p, limits) for p in known if kin.gender[p] == gender]
    new = _grown(before, name, limits)
    return [ending for ending in (*found, new) if ending is not None and _within(ending)]


def _grown(before: Ending, name: str, limits: tuple[_Only, ...]) -> Ending | None:
    kin = before.kin.copy()
    new = kin.add()
    return Ending(kin, new, limits) if kin.link(name, new, before.end) else None


def _within(ending: Ending) -> bool:
    """Whether every "only" holds."""
    return all(
        sum(1 for p in ending.kin.children(couple) if ending.kin.gender[p] == gender and p != besides) <= 1
        for couple, gender, besides in ending.only
    )
