"""Families: who is whose parent, child, sibling and spouse, and what that makes two people to each other.

Conventions, those of competitive exams: siblings have both parents in common, a child of one spouse is the other's, a
marriage is between a man and a woman, and nobody marries twice. A tree holds what is said and what these make of it,
nothing else: what holds in it holds in every family of which it is true; what does not, does not follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

MALE, FEMALE = "M", "F"

LINKS: dict[str, tuple[str, str]] = {
    "father": ("parent", MALE),
    "mother": ("parent", FEMALE),
    "son": ("child", MALE),
    "daughter": ("child", FEMALE),
    "brother": ("sibling", MALE),
    "sister": ("sibling", FEMALE),
    "husband": ("spouse", MALE),
    "wife": ("spouse", FEMALE),
}
"""The links a fact can state -> the basic relation, and the gender of the one who is it."""


class Kin:
    """A family tree that grows by links. People and couples are numbers.

    ``origin`` is the couple a person is a child of, ``marriage`` the couple the person is one of; None where unknown.
    """

    def __init__(self) -> None:
        self.gender: list[str | None] = []
        self.origin: list[int | None] = []
        self.marriage: list[int | None] = []
        self._couples = 0

    def copy(self) -> Kin:
        """A tree that can grow on its own."""
        other = Kin()
        other.gender, other.origin, other.marriage = self.gender[:], self.origin[:], self.marriage[:]
        other._couples = self._couples
        return other

    def add(self, gender: str | None = None) -> int:
        """A new person, related to nobody yet."""
        self.gender.append(gender)
        self.origin.append(None)
        self.marriage.append(None)
        return len(self.gender) - 1

    def children(self, couple: int | None) -> list[int]:
        """The couple's known children."""
        return [p for p, origin in enumerate(self.origin) if origin == couple and couple is not None]

    def members(self, couple: int | None) -> list[int]:
        """The couple's known members."""
        return [p for p, marriage in enumerate(self.marriage) if marriage == couple and couple is not None]

    def born_to(self, person: int) -> int:
        """The couple ``person`` is a child of, made where unknown."""
        return self._couple(self.origin, person)

    def married_in(self, person: int) -> int:
        """The couple ``person`` is one of, made where unknown."""
        return self._couple(self.marriage, person)

    def link(self, name: str, new: int, old: int) -> bool:
        """Makes ``new``, who has no relative yet, the father, son, … of ``old``. False where that cannot be."""
        basic, gender = LINKS[name]
        if self.gender[new] not in (None, gender):
            return False
        self.gender[new] = gender
        if basic == "parent":
            self.marriage[new] = self.born_to(old)
        elif basic == "child":
            self.origin[new] = self.married_in(old)
        elif basic == "sibling":
            self.origin[new] = self.born_to(old)
        else:
            self.marriage[new] = self.married_in(old)
        return self.settle_genders()

    def _couple(self, side: list[int | None], person: int) -> int:
        couple = side[person]
        if couple is None:
            couple = side[person] = self._couples
            self._couples += 1
        return couple

    def settle_genders(self) -> bool:
        """Whether every couple is a man and a woman at most. The other's gender is filled in from one's."""
        for couple in range(self._couples):
            pair = self.members(couple)
            if len(pair) > 2:
                return False
            if len(pair) == 2:
                known = {self.gender[p] for p in pair} - {None}
                if len(known) == 1:
                    (one,) = known
                    missing = [p for p in pair if self.gender[p] is None]
                    if not missing:
                        return False
                    self.gender[missing[0]] = FEMALE if one == MALE else MALE
        return True

    def parents(self, person: int) -> list[int]:
        """The known parents."""
        return self.members(self.origin[person])

    def offspring(self, person: int) -> list[int]:
        """The known children, the spouse's included."""
        return self.children(self.marriage[person])

    def siblings(self, person: int) -> list[int]:
        """The known siblings."""
        return [p for p in self.children(self.origin[person]) if p != person]

    def spouses(self, person: int) -> list[int]:
        """The spouse, where known."""
        return [p for p in self.members(self.marriage[person]) if p != person]

    def uncles_and_aunts(self, through: int) -> Iterator[int]:
        """Siblings of the parent ``through``, and their spouses."""
        for sibling in self.siblings(through):
            yield sibling
            yield from self.spouses(sibling)


class Relation(NamedTuple):
    """A word for what one person is to another."""

    basic: str
    gender: str | None
    side: str | None = None
    """Gender of the parent it goes through."""


_WORDS = {
    "parent": ("father", "mother"),
    "child": ("son", "daughter"),
    "sibling": ("brother", "sister"),
    "spouse": ("husband", "wife"),
    "grandparent": ("grandfather", "grandmother"),
    "grandchild": ("grandson", "granddaughter"),
    "great-grandparent": ("great-grandfather", "great-grandmother"),
    "great-grandchild": ("great-grandson", "great-granddaughter"),
    "uncle or aunt": ("uncle", "aunt"),
    "nephew or niece": ("nephew", "niece"),
    "parent-in-law": ("father-in-law", "mother-in-law"),
    "child-in-law": ("son-in-law", "daughter-in-law"),
    "sibling-in-law": ("brother-in-law", "sister-in-law"),
}

RELATIONS: dict[str, Relation] = {
    **{
        word: Relation(basic, gender) for basic, pair in _WORDS.items() for word, gender in zip(pair, "MF", strict=True)
    },
    "cousin": Relation("cousin", None),
    **{
        f"{prefix} {word}": Relation(basic, gender, side)
        for basic in ("grandparent", "uncle or aunt")
        for word, gender in zip(_WORDS[basic], "MF", strict=True)
        for prefix, side in (("paternal", MALE), ("maternal", FEMALE))
    },
}
"""Every word for a relation that is asked for. An uncle's wife is an aunt and an aunt's husband an uncle; a
brother-in-law is a sister's husband or a spouse's brother. On the mother's or father's side only blood relatives count:
an uncle by marriage on one side may be one by blood on the other."""


def _grandparents(kin: Kin, b: int) -> list[int]:
    return [g for p in kin.parents(b) for g in kin.parents(p)]


def _grandchildren(kin: Kin, b: int) -> list[int]:
    return [g for p in kin.offspring(b) for g in kin.offspring(p)]


_RELATED: dict[str, Callable[[Kin, int], list[int]]] = {
    "parent": Kin.parents,
    "child": Kin.offspring,
    "sibling": Kin.siblings,
    "spouse": Kin.spouses,
    "grandparent": _grandparents,
    "grandchild": _grandchildren,
    "great-grandparent": lambda kin, b: [p for g in _grandparents(kin, b) for p in kin.parents(g)],
    "great-grandchild": lambda kin, b: [c for g in _grandchildren(kin, b) for c in kin.offspring(g)],
    "uncle or aunt": lambda kin, b: [u for p in kin.parents(b) for u in kin.uncles_and_aunts(p)],
    "nephew or niece": lambda kin, b: [
        c for one in (b, *kin.spouses(b)) for s in kin.siblings(one) for c in kin.offspring(s)
    ],
    "cousin": lambda kin, b: [c for p in kin.parents(b) for s in kin.siblings(p) for c in kin.offspring(s)],
    "parent-in-law": lambda kin, b: [p for s in kin.spouses(b) for p in kin.parents(s)],
    "child-in-law": lambda kin, b: [s for c in kin.offspring(b) for s in kin.spouses(c)],
    "sibling-in-law": lambda kin, b: [
        *(s for one in kin.spouses(b) for s in kin.siblings(one)),
        *(s for one in kin.siblings(b) for s in kin.spouses(one)),
    ],
}


def holds(kin: Kin, word: str, a: int, b: int) -> bool:
    """Whether the tree proves that a is the ``word`` of b. Raises KeyError for a word that is not in ``RELATIONS``."""
    basic, gender, side = RELATIONS[word]
    if gender is not None and kin.gender[a] != gender:
        return False
    if side is None:
        return a in _RELATED[basic](kin, b)
    through = [p for p in kin.parents(b) if kin.gender[p] == side]
    return any(a in (kin.parents(p) if basic == "grandparent" else kin.siblings(p)) for p in through)


def different(word: str, other: str) -> bool:
    """Whether two words say different things: another relation, gender or side. Not where one says more than the other
    ("uncle", "maternal uncle")."""
    one, two = RELATIONS[word], RELATIONS[other]
    if one.basic != two.basic:
        return True
    return one.gender != two.gender or (None not in (one.side, two.side) and one.side != two.side)


def words_for(kin: Kin, a: int, b: int) -> list[str]:
    """All words for what a is to b, as far as the tree proves: at most one without a side, and one with."""
    return [word for word in RELATIONS if holds(kin, word, a, b)]
