"""Whole families, everybody known: what a second solver finds the facts of a puzzle true in.

Nobody marries twice, spouses are a man and a woman, children have both parents, siblings share them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

MALE, FEMALE = "M", "F"
BACK = {
    "father": ("son", "daughter"),
    "mother": ("son", "daughter"),
    "son": ("father", "mother"),
    "daughter": ("father", "mother"),
    "brother": ("brother", "sister"),
    "sister": ("brother", "sister"),
    "husband": ("wife",),
    "wife": ("husband",),
}
"""Whoever's father I am is my son or my daughter, and so on."""
FEMALE_WORDS = {
    "mother": "father", "daughter": "son", "sister": "brother", "wife": "husband", "grandmother": "grandfather",
    "granddaughter": "grandson", "great-grandmother": "great-grandfather", "great-granddaughter": "great-grandson",
    "aunt": "uncle", "niece": "nephew", "mother-in-law": "father-in-law", "daughter-in-law": "son-in-law",
    "sister-in-law": "brother-in-law",
}  # fmt: skip


class Fact(NamedTuple):
    """``a`` is the ``link`` of ``b``: the only one there is, or perhaps one of several."""

    link: str
    a: str
    b: str
    only: bool = False


class Tale(NamedTuple):
    """Facts about people, from ``first`` on, who is of one of ``genders``; those in ``apart`` are different people."""

    facts: tuple[Fact, ...]
    first: str
    genders: str
    apart: frozenset[str]


class Family:
    """People, as numbers, with their genders, parents and spouses."""

    def __init__(self) -> None:
        self.gender: list[str] = []
        self.parents: list[tuple[int, ...]] = []
        self.spouse: dict[int, int] = {}

    def copy(self) -> Family:
        other = Family()
        other.gender, other.parents, other.spouse = self.gender[:], self.parents[:], dict(self.spouse)
        return other

    @property
    def everyone(self) -> range:
        return range(len(self.gender))

    def born(self, gender: str, parents: tuple[int, ...] = ()) -> int:
        self.gender.append(gender)
        self.parents.append(parents)
        return len(self.gender) - 1

    def couple(self, x: int) -> tuple[int, ...]:
        """x and x's spouse, who comes into the family where there was none."""
        if x not in self.spouse:
            other = self.born(FEMALE if self.gender[x] == MALE else MALE)
            self.spouse[x], self.spouse[other] = other, x
        return x, self.spouse[x]

    def parents_made(self, x: int) -> tuple[int, ...]:
        """x's parents, who come into the family where there were none."""
        if not self.parents[x]:
            self.parents[x] = self.couple(self.born(MALE))
        return self.parents[x]

    def married(self, people: set[int]) -> set[int]:
        return {self.spouse[p] for p in people if p in self.spouse}

    def parents_of(self, people: set[int]) -> set[int]:
        return {p for x in people for p in self.parents[x]}

    def children_of(self, people: set[int]) -> set[int]:
        return {c for c in self.everyone if people & set(self.parents[c])}

    def siblings_of(self, people: set[int]) -> set[int]:
        return {c for x in people for c in self.children_of(set(self.parents[x])) if c != x}

    def called(self, word: str, x: int) -> set[int]:
        """Everybody who is the ``word`` of x. Raises KeyError for a word it does not know."""
        side, _, word = word.rpartition(" ")
        above = self.parents_of({x})
        if side:
            above = {p for p in above if self.gender[p] == {"maternal": FEMALE, "paternal": MALE}[side]}
        blood = self.siblings_of(above)
        children, spouse, mine = self.children_of({x}), self.married({x}), self.siblings_of({x})
        found = {
            "father": lambda: above,
            "son": lambda: children,
            "brother": lambda: mine,
            "husband": lambda: spouse,
            "grandfather": lambda: self.parents_of(above),
            "grandson": lambda: self.children_of(children),
            "great-grandfather": lambda: self.parents_of(self.parents_of(above)),
            "great-grandson": lambda: self.children_of(self.children_of(children)),
            "uncle": lambda: blood if side else blood | self.married(blood),
            "nephew": lambda: self.children_of(mine | self.siblings_of(spouse)),
            "cousin": lambda: self.children_of(blood),
            "father-in-law": lambda: self.parents_of(spouse),
            "son-in-law": lambda: self.married(children),
            "brother-in-law": lambda: self.siblings_of(spouse) | self.married(mine),
        }[FEMALE_WORDS.get(word, word)]()
        if word == "cousin":
            return found
        return {a for a in found if self.gender[a] == (FEMALE if word in FEMALE_WORDS else MALE)}


Told = tuple[Family, dict[str, int]]
"""A family, and who is who in it."""
Ways = Callable[[Family, str, int], Iterator[tuple[Family, int]]]


def families(tale: Tale) -> Iterator[Told]:
    """Every family that a tale makes when its facts are followed one after the other.

    Each fact leads to somebody who is in the family already or to somebody new, and every way is gone, with every
    gender that nothing settles. Whatever family fits the tale is one of these with more people in it, or with one
    person for two of them: neither takes a relation away that holds here.
    """
    for gender in tale.genders:
        family = Family()
        yield from _told(family, family.born(gender), tale, _there_or_new)


def fits(family: Family, tale: Tale) -> Iterator[Told]:
    """Every way in which a tale is true of people of ``family``."""
    for person in family.everyone:
        if family.gender[person] in tale.genders:
            yield from _told(family, person, tale, _there)


def _told(family: Family, first: int, tale: Tale, ways: Ways) -> Iterator[Told]:
    for grown, people in _followed(family, {tale.first: first}, tale.facts, tale.apart, ways):
        if all(grown.called(f.link, people[f.b]) == {people[f.a]} for f in tale.facts if f.only):
            yield grown, people


def _followed(
    family: Family, people: dict[str, int], left: tuple[Fact, ...], apart: frozenset[str], ways: Ways
) -> Iterator[Told]:
    if not left:
        yield family, people
        return
    fact = next(f for f in left if f.a in people or f.b in people)
    rest = tuple(f for f in left if f is not fact)
    if fact.a in people and fact.b in people:
        if people[fact.a] in family.called(fact.link, people[fact.b]):
            yield from _followed(family, people, rest, apart, ways)
        return
    if fact.b in people:
        known, new, links = people[fact.b], fact.a, (fact.link,)
    else:
        known, new, links = people[fact.a], fact.b, BACK[fact.link]
        if family.gender[known] != _gender(fact.link):
            return
    for link in links:
        for grown, person in ways(family, link, known):
            if new not in apart or all(people[name] != person for name in apart & people.keys()):
                yield from _followed(grown, {**people, new: person}, rest, apart, ways)


def _there(family: Family, link: str, x: int) -> Iterator[tuple[Family, int]]:
    yield from ((family, person) for person in family.called(link, x))


def _there_or_new(family: Family, link: str, x: int) -> Iterator[tuple[Family, int]]:
    yield from _there(family, link, x)
    grown, gender = family.copy(), _gender(link)
    if link in ("father", "mother"):
        if not family.parents[x]:
            man, woman = grown.parents_made(x)
            yield grown, man if gender == MALE else woman
    elif link in ("husband", "wife"):
        if x not in family.spouse and family.gender[x] != gender:
            yield grown, grown.couple(x)[1]
    else:
        parents = grown.couple(x) if link in ("son", "daughter") else grown.parents_made(x)
        yield grown, grown.born(gender, parents)


def _gender(link: str) -> str:
    return FEMALE if link in FEMALE_WORDS else MALE
