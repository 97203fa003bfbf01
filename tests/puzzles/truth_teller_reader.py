"""Reads a truth-teller puzzle's English and solves it by trying every way to tell the truth or lie."""

from __future__ import annotations

import operator
import re
from itertools import product

from verdicts import decided

NUMBERS = {"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
NAME = r"(I|me|[A-Z][a-z]*)"
KIND = r"(truth-teller|knight|liar|knave)s?"
AMOUNTS = {"Exactly": operator.eq, "At least": operator.ge, "At most": operator.le}
TRUTHFUL = {"truth-teller": True, "knight": True, "liar": False, "knave": False}


class Reader:
    """A case is (who tells the truth, by name; who did it, or None)."""

    def __init__(self, question: str) -> None:
        self.quotes = re.findall(r'([A-Z][a-z]*)(?: says,| claims,|:) "([^"]+)\."', question)
        rest = re.sub(r'[A-Z][a-z]*(?: says,| claims,|:) "[^"]+\."', "|", question)
        opening, *_, closing = rest.split("|")
        self.opening = opening
        told = [s.strip() for s in re.findall(r"[^.?]+[.?]", closing)]
        self.counts, self.asked = told[:-1], told[-1]
        self.culprit = "always" not in opening
        listing = re.sub(r"(Exactly|Either|Each|On an island|Truth-tellers|Knights)\b", "", opening)
        self.names = list(dict.fromkeys(re.findall(r"\b[A-Z][a-z]*\b", listing)))

    def cases(self):
        for values in product((False, True), repeat=len(self.names)):
            for who in self.names if self.culprit else (None,):
                yield dict(zip(self.names, values, strict=False)), who

    def statement(self, speaker: str, text: str):
        """What is said, as a function of a case."""

        def name(word):
            return speaker if word in ("I", "me") else word

        def is_kind(t, a, kind):
            return t[name(a)] == TRUTHFUL[kind]

        patterns = [
            (rf"{NAME} (?:is|am) a {KIND} (and|or) {NAME} (?:is|am) a {KIND}",
             lambda t, c, a, k, joint, b, m: (all if joint == "and" else any)((is_kind(t, a, k), is_kind(t, b, m)))),
            (rf"{NAME} (?:is|am) a {KIND}", lambda t, c, a, k: is_kind(t, a, k)),
            (rf"{NAME} (?:is|am) (telling the truth|lying)", lambda t, c, a, how: t[name(a)] == (how != "lying")),
            (rf"{NAME} and {NAME} are of the same type", lambda t, c, a, b: t[name(a)] == t[name(b)]),
            (rf"{NAME} and {NAME} are of different types", lambda t, c, a, b: t[name(a)] != t[name(b)]),
            (rf"(Exactly|At least|At most) (\w+) of us (?:is a|are) {KIND}",
             lambda t, c, how, k, _: AMOUNTS[how](list(t.values()).count(False), NUMBERS[k])),
            (rf"An odd number of us are {KIND}", lambda t, c, _: list(t.values()).count(False) % 2 == 1),
            (rf"Exactly (\w+) of {NAME}, {NAME} and {NAME} (?:is a|are) {KIND}",
             lambda t, c, k, *who: [t[name(p)] for p in who[:3]].count(False) == NUMBERS[k]),
            (rf"{NAME} did it", lambda t, c, a: c == name(a)),
            (rf"{NAME} did not do it", lambda t, c, a: c != name(a)),
            (rf"It was {NAME} or {NAME}", lambda t, c, a, b: c in (name(a), name(b))),
        ]  # fmt: skip
        for pattern, holds in patterns:
            match = re.fullmatch(pattern, text)
            if match:
                return lambda case, holds=holds, match=match: holds(*case, *match.groups())
        raise AssertionError(f"cannot read {text!r}")

    def clues(self):
        for speaker, text in self.quotes:
            said = self.statement(speaker, text)
            yield lambda case, speaker=speaker, said=said: case[0][speaker] == said(case)
        for text in self.counts:
            match = re.fullmatch(
                r"Exactly (\w+) (?:statements? (?:is|are) (true)|of them (?:is a|are) \w+(?:-\w+)?)\.", text
            )
            yield lambda case, match=match: list(case[0].values()).count(match[2] is not None) == NUMBERS[match[1]]

    def answer(self, choice: str):
        """Whether ``choice`` answers the question, as a function of a case."""
        if self.culprit:
            return lambda case: case[1] == choice
        which = re.fullmatch(rf"Which of these is a {KIND}\?", self.asked)
        if which:
            return lambda case: case[0][choice] == TRUTHFUL[which[1]]
        if self.asked.startswith("How many"):
            return lambda case: list(case[0].values()).count(False) == NUMBERS[choice.lower()]
        if self.asked.startswith("Who are all"):
            names = {"All of them": self.names, "None of them": []}.get(choice)
            group = set(re.findall(r"\b(?!Only)[A-Z][a-z]*", choice) if names is None else names)
            return lambda case: {name for name, true in case[0].items() if true} == group
        a, b = re.fullmatch(r"What are ([A-Z][a-z]*) and ([A-Z][a-z]*)\?", self.asked).groups()
        both = re.fullmatch(rf"Both are {KIND}", choice)
        if both:
            return lambda case: case[0][a] == case[0][b] == TRUTHFUL[both[1]]
        first, k, second, m = re.fullmatch(rf"{NAME} is a {KIND}, {NAME} is a {KIND}", choice).groups()
        assert (first, second) == (a, b)
        return lambda case: case[0][a] == TRUTHFUL[k] and case[0][b] == TRUTHFUL[m]


def solve(puzzle, drop=None):
    reader = Reader(puzzle.question)
    clues = list(reader.clues())
    cases = [c for c in reader.cases() if all(clue(c) for place, clue in enumerate(clues) if place != drop)]
    answers = [reader.answer(choice) for choice in puzzle.choices]
    return decided("is", [[holds(case) for case in cases] for holds in answers]), len(clues)
