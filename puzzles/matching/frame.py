"""Every way to match people with values, and the set of ways in which a clue holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import chain, combinations, permutations, product
from typing import Any

from puzzles.matching.structure import Clue
from puzzles.matching.text import Entity
from puzzles.model_checking import ModelSpace
from puzzles.puzzle import ProofError

MAX_PEOPLE = 5
MAX_ATTRIBUTES = 2


class MatchingFrame:
    """Who can have what. A model gives, attribute by attribute, each person's value."""

    def __init__(self, people: int, attributes: int) -> None:
        self.people, self.attributes = people, attributes
        orders = list(permutations(range(people)))
        self.space = ModelSpace(tuple(chain(*model)) for model in product(orders, repeat=attributes))
        self._masks: dict[Clue, int] = {}

    def holder(self, entity: Entity, person: int) -> int:
        """The models in which ``person`` has ``entity``."""
        attribute, value = entity
        if attribute == 0:
            return self.space.everything if value == person else 0
        return self.space.atom((attribute - 1) * self.people + person, value)

    def mask(self, clue: Clue) -> int:
        """The models in which ``clue`` holds. Raises KeyError for a kind that does not exist."""
        if clue not in self._masks:
            kinds: dict[str, Callable[..., int]] = {
                "is": self._is,
                "not": self._not,
                "either": self._either,
                "later": self._later,
                "next": self._next,
            }
            self._masks[clue] = kinds[clue[0]](*clue[1:])
        return self._masks[clue]

    def _is(self, e: Entity, f: Entity) -> int:
        found = 0
        for person in range(self.people):
            found |= self.holder(e, person) & self.holder(f, person)
        return found

    def _not(self, e: Entity, f: Entity) -> int:
        return self.space.everything & ~self._is(e, f)

    def _either(self, e: Entity, f: Entity, g: Entity) -> int:
        return self._is(e, f) | self._is(e, g)

    def _compared(self, e: Entity, f: Entity, attribute: int, pairs: Iterable[tuple[int, int]]) -> int:
        found = 0
        for low, high in pairs:
            found |= self._is(e, (attribute, high)) & self._is(f, (attribute, low))
        return found

    def _later(self, e: Entity, f: Entity, attribute: int) -> int:
        return self._compared(e, f, attribute, combinations(range(self.people), 2))

    def _next(self, e: Entity, f: Entity, attribute: int) -> int:
        return self._compared(e, f, attribute, ((v, v + 1) for v in range(self.people - 1)))

    def values(self, question: tuple[Any, ...]) -> list[Any]:
        """What may be offered as a choice."""
        if question[0] != "pair":
            return list(range(self.people))
        entities = [(a, v) for a in range(self.attributes + 1) for v in range(self.people)]
        return [(e, f) for e, f in combinations(entities, 2) if e[0] < f[0]]

    def holds(self, question: tuple[Any, ...], value: Any) -> int:
        """The models in which ``value`` answers ``question``."""
        kind, *rest = question
        if kind == "pair":
            return self.mask(("is", *value))
        return self.mask(("is", rest[0], (0, value)) if kind == "who" else ("is", rest[0], (rest[1], value)))


@lru_cache(maxsize=8)
def matching_frame(people: int, attributes: int) -> MatchingFrame:
    """Return the frame of this size. Raises ProofError for one that is too large."""
    if people > MAX_PEOPLE or attributes > MAX_ATTRIBUTES:
        raise ProofError(f"people: found {people} with {attributes} attributes; expected at most {MAX_PEOPLE} with two")
    return MatchingFrame(people, attributes)
