"""Whole families, everybody known: what a second solver tries the facts of a puzzle on."""

from __future__ import annotations

import random

LINKS = ("father", "mother", "son", "daughter", "brother", "sister", "husband", "wife")


class Village:
    """Several families over four generations. Nobody marries twice or a blood relative."""

    def __init__(self, seed: int) -> None:
        draw = random.Random(seed)
        self.gender: list[str] = []
        self.parents: list[tuple[int, ...]] = []
        self.spouse: dict[int, int] = {}
        self._ancestors: list[frozenset[int]] = []
        generation = [self._born("MF"[i % 2], ()) for i in range(12)]
        for _ in range(4):
            self._marry(draw, generation)
            generation = [
                self._born(draw.choice("MF"), (man, self.spouse[man]))
                for man in generation
                if self.gender[man] == "M" and man in self.spouse
                for _ in range(draw.choice((1, 2, 3, 4)))
            ]
            generation += [self._born("M", ()), self._born("F", ())]
        self.everyone = range(len(self.gender))
        self.children = {p: {c for c in self.everyone if p in self.parents[c]} for p in self.everyone}
        self._siblings = {
            x: {y for y in self.everyone if y != x and self.parents[x] and self.parents[y] == self.parents[x]}
            for x in self.everyone
        }
        self._kin = {(link, x): self._find_kin(link, x) for link in LINKS for x in self.everyone}
        self._called: dict[tuple[str, int], set[int]] = {}

    def _born(self, gender: str, parents: tuple[int, ...]) -> int:
        self.gender.append(gender)
        self.parents.append(parents)
        person = len(self.gender) - 1
        self._ancestors.append(frozenset({person}).union(*(self._ancestors[p] for p in parents)))
        return person

    def _marry(self, draw: random.Random, generation: list[int]) -> None:
        women = draw.sample(
            [p for p in generation if self.gender[p] == "F"], sum(self.gender[p] == "F" for p in generation)
        )
        for man in (p for p in generation if self.gender[p] == "M"):
            wife = next((w for w in women if not self._ancestors[w] & self._ancestors[man]), None)
            if wife is not None:
                women.remove(wife)
                self.spouse[man], self.spouse[wife] = wife, man

    def siblings(self, x: int) -> set[int]:
        return self._siblings[x]

    def married(self, people: set[int]) -> set[int]:
        return {self.spouse[p] for p in people if p in self.spouse}

    def kin(self, link: str, x: int) -> set[int]:
        """Everybody who is the ``link`` of x: father, mother, son, … wife."""
        return self._kin[link, x]

    def kin_of(self, x: int) -> set[int]:
        """Everybody next to x by one link."""
        return {p for link in LINKS for p in self._kin[link, x]}

    def _find_kin(self, link: str, x: int) -> set[int]:
        people, gender = {
            "father": (set(self.parents[x]), "M"), "mother": (set(self.parents[x]), "F"),
            "son": (self.children[x], "M"), "daughter": (self.children[x], "F"),
            "brother": (self.siblings(x), "M"), "sister": (self.siblings(x), "F"),
            "husband": (self.married({x}), "M"), "wife": (self.married({x}), "F"),
        }[link]  # fmt: skip
        return {p for p in people if self.gender[p] == gender}

    def parents_of(self, people: set[int]) -> set[int]:
        return {p for x in people for p in self.parents[x]}

    def children_of(self, people: set[int]) -> set[int]:
        return {c for x in people for c in self.children[x]}

    def siblings_of(self, people: set[int]) -> set[int]:
        return {s for x in people for s in self.siblings(x)}

    def is_a(self, word: str, a: int, x: int) -> bool:
        """Whether a is the ``word`` of x."""
        if (word, x) not in self._called:
            self._called[word, x] = self._find_called(word, x)
        return a in self._called[word, x]

    def _find_called(self, word: str, x: int) -> set[int]:
        side, _, word = word.rpartition(" ")
        above = self.parents_of({x})
        if side:
            above = {p for p in above if self.gender[p] == {"maternal": "F", "paternal": "M"}[side]}
        blood = self.siblings_of(above)
        uncles = blood if side else blood | self.married(blood)
        mine = self.siblings(x)
        theirs = {
            "father": above, "son": self.children[x], "brother": mine, "husband": self.married({x}),
            "grandfather": self.parents_of(above), "grandson": self.children_of(self.children[x]),
            "great-grandfather": self.parents_of(self.parents_of(above)),
            "great-grandson": self.children_of(self.children_of(self.children[x])),
            "uncle": uncles, "nephew": self.children_of(mine | self.siblings_of(self.married({x}))),
            "cousin": self.children_of(blood), "father-in-law": self.parents_of(self.married({x})),
            "son-in-law": self.married(self.children[x]),
            "brother-in-law": self.siblings_of(self.married({x})) | self.married(mine),
        }  # fmt: skip
        female = {
            "mother": "father", "daughter": "son", "sister": "brother", "wife": "husband",
            "grandmother": "grandfather", "granddaughter": "grandson", "great-grandmother": "great-grandfather",
            "great-granddaughter": "great-grandson", "aunt": "uncle", "niece": "nephew",
            "mother-in-law": "father-in-law", "daughter-in-law": "son-in-law", "sister-in-law": "brother-in-law",
        }  # fmt: skip
        if word == "cousin":
            return theirs[word]
        gender = "F" if word in female else "M"
        return {a for a in theirs[female.get(word, word)] if self.gender[a] == gender}
