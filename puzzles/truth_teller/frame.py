"""Every way to tell the truth or lie, and the set of ways in which a clue holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import combinations, product
from typing import Any

from puzzles.model_checking import ModelSpace, conjunction
from puzzles.puzzle import ProofError
from puzzles.truth_teller.structure import Clue, Statement

MAX_PEOPLE = 6


class TruthTellerFrame:
    """Who tells the truth (1) and, with a culprit, who did it. A model: each person's value, then the culprit."""

    def __init__(self, people: int, culprit: bool) -> None:
        self.people = people
        kinds = product((0, 1), repeat=people)
        self.space = ModelSpace((*model, who) for model, who in product(kinds, range(people) if culprit else (0,)))
        self._lying = [0] * (people + 1)
        for index in range(len(self.space)):
            self._lying[people - sum(self.space.model(index)[:people])] |= 1 << index

    def told(self, statement: Statement) -> int:
        """The models in which ``statement`` is true. Raises KeyError for a kind that does not exist."""
        kind, *a = statement
        atom, everything = self.space.atom, self.space.everything
        evaluate: dict[str, Callable[[], int]] = {
            "is": lambda: atom(a[0], a[1]),
            "same": lambda: everything & ~(atom(a[0], 1) ^ atom(a[1], 1)),
            "differ": lambda: atom(a[0], 1) ^ atom(a[1], 1),
            "count": lambda: self._lying[a[0]],
            "least": lambda: sum(self._lying[a[0] :]),
            "most": lambda: sum(self._lying[: a[0] + 1]),
            "odd": lambda: sum(self._lying[1::2]),
            "among": lambda: self._lying_among(a[0], a[1:]),
            "and": lambda: atom(a[0], a[1]) & atom(a[2], a[3]),
            "or": lambda: atom(a[0], a[1]) | atom(a[2], a[3]),
            "did": lambda: atom(self.people, a[0]),
            "didnt": lambda: everything & ~atom(self.people, a[0]),
            "didone": lambda: atom(self.people, a[0]) | atom(self.people, a[1]),
        }
        return evaluate[kind]()

    def _lying_among(self, count: int, group: list[int]) -> int:
        """The models in which ``count`` of ``group`` lie."""
        if len(group) > self.people:
            raise ProofError(f"among: found {len(group)} people; expected at most {self.people}")
        found = 0
        for values in product((0, 1), repeat=len(group)):
            if values.count(0) == count:
                atoms = (self.space.atom(p, v) for p, v in zip(group, values, strict=True))
                found |= conjunction(atoms, self.space.everything)
        return found

    def mask(self, clue: Clue) -> int:
        """The models in which ``clue`` holds."""
        kind, *a = clue
        if kind == "says":
            return self.space.everything & ~(self.space.atom(a[0], 1) ^ self.told(a[1]))
        lying: int = {"liars": a[0], "true": self.people - a[0]}[kind]
        return self._lying[lying]

    def holds(self, question: tuple[Any, ...], value: Any) -> int:
        """The models in which ``value`` answers ``question``."""
        kind, *a = question
        if kind == "culprit":
            return self.space.atom(self.people, value)
        if kind == "who":
            return self.space.atom(value, a[0])
        if kind == "count":
            return self._lying[int(value)]
        if kind == "pair":
            return self.space.atom(a[0], value[0]) & self.space.atom(a[1], value[1])
        found = self.space.everything
        for person in range(self.people):
            found &= self.space.atom(person, int(person in value))
        return found

    def values(self, question: tuple[Any, ...]) -> list[Any]:
        """What may be offered as a choice."""
        everyone = range(self.people)
        offered: dict[str, Iterable[Any]] = {
            "culprit": everyone,
            "who": everyone,
            "count": range(self.people + 1),
            "pair": product((0, 1), repeat=2),
            "truthful": (group for size in range(self.people + 1) for group in combinations(everyone, size)),
        }
        return list(offered[question[0]])


@lru_cache(maxsize=16)
def truth_teller_frame(people: int, culprit: bool) -> TruthTellerFrame:
    """Return the frame of this size. Raises ProofError for one that is too large."""
    if people > MAX_PEOPLE:
        raise ProofError(f"people: found {people}; expected at most {MAX_PEOPLE}")
    return TruthTellerFrame(people, culprit)
