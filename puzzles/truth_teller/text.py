"""Truth-teller and liar puzzles in English."""

from __future__ import annotations

import random
from typing import Any

from puzzles.words import NUMBERS, counted, listed

KINDS: dict[str, tuple[str, str]] = {"truth-teller": ("liar", "liars"), "knight": ("knave", "knaves")}
"""Word for one who always tells the truth -> the words for one who always lies, and for several."""

DEEDS = (
    "broke the vase", "ate the cake", "took the key", "lost the map", "hid the ring", "rang the bell",
    "left the gate open", "spilled the paint",
)  # fmt: skip


class Voice:
    """Says things in the words of one puzzle."""

    def __init__(self, names: tuple[str, ...], word: str, deed: str) -> None:
        self.names, self.word, self.deed = names, word, deed
        self.words = (KINDS[word][0], word)

    def kinds(self, value: int, number: int) -> str:
        """ "liars": the word for ``number`` people of that kind (1: tells the truth)."""
        if number == 1:
            return self.words[value]
        return self.word + "s" if value else KINDS[self.word][1]

    def statement(self, speaker: int, statement: tuple[Any, ...]) -> str:
        """What ``speaker`` says, without quotation marks: see ``puzzles.truth_teller.family`` for the kinds."""
        kind, *arguments = statement
        if kind == "is":
            return self._is(speaker, *arguments)
        if kind in ("same", "differ"):
            pair = f"{self._pair(speaker, *arguments)}"
            return f"{pair} are of {'the same type' if kind == 'same' else 'different types'}"
        if kind == "odd":
            return f"An odd number of us are {self.kinds(0, 2)}"
        if kind == "among":
            number, *group = arguments
            those = listed([self.names[p] for p in group])
            return f"Exactly {NUMBERS[number]} of {those} {'is a' if number == 1 else 'are'} {self.kinds(0, number)}"
        if kind in ("count", "least", "most"):
            (number,) = arguments
            amount = {"count": "Exactly", "least": "At least", "most": "At most"}[kind]
            return f"{amount} {NUMBERS[number]} of us {'is a' if number == 1 else 'are'} {self.kinds(0, number)}"
        if kind in ("and", "or"):
            p, v, q, w = arguments
            return f"{self._is(speaker, p, v)} {kind} {self._is(speaker, q, w)}"
        if kind == "did":
            return f"{self._name(speaker, arguments[0])} did it"
        if kind == "didnt":
            return f"{self._name(speaker, arguments[0])} did not do it"
        return f"It was {self._object(speaker, arguments[0])} or {self._object(speaker, arguments[1])}"

    def clue(self, clue: tuple[Any, ...], rng: random.Random) -> str:
        """A clue as a sentence."""
        kind, *arguments = clue
        if kind == "says":
            speaker, statement = arguments
            verb = rng.choice((" says,", " claims,", " says,", ":"))
            return f'{self.names[speaker]}{verb} "{self.statement(speaker, statement)}."'
        number: int = arguments[0]
        if kind == "true":
            return f"Exactly {counted(number, 'statement')} {'is' if number == 1 else 'are'} true."
        return f"Exactly {NUMBERS[number]} of them {'is a' if number == 1 else 'are'} {self.kinds(0, number)}."

    def setting(self, rng: random.Random) -> str:
        """The opening: who there is, and what is always so."""
        everyone = listed(self.names)
        if self.deed:
            return rng.choice(
                (f"Exactly one of {listed(self.names)} {self.deed}.", f"Either {listed(self.names, 'or')} {self.deed}.")
            )
        liar = KINDS[self.word][1]
        rule = f"{self.word}s always tell the truth and {liar} always lie"
        kind = f"a {self.word} or a {self.words[0]}"
        return rng.choice(
            (
                f"{everyone} are each {kind}; {rule}.",
                f"On an island {rule}. {everyone} live there.",
                f"Each of {everyone} is {kind}. {rule[0].upper()}{rule[1:]}.",
            )
        )

    def question(self, question: tuple[Any, ...]) -> str:
        """The closing question."""
        kind, *arguments = question
        if kind == "culprit":
            return f"Who {self.deed}?"
        if kind == "who":
            return f"Which of these is a {self.words[arguments[0]]}?"
        if kind == "count":
            return f"How many of them are {self.kinds(0, 2)}?"
        if kind == "pair":
            return f"What are {self.names[arguments[0]]} and {self.names[arguments[1]]}?"
        return f"Who are all the {self.kinds(1, 2)}?"

    def choice(self, question: tuple[Any, ...], value: Any) -> str:
        """A choice's text."""
        kind, *arguments = question
        if kind in ("culprit", "who"):
            return self.names[int(value)]
        if kind == "count":
            return NUMBERS[int(value)].capitalize()
        if kind == "pair":
            if value[0] == value[1]:
                return f"Both are {self.kinds(value[0], 2)}"
            first, second = (f"{self.names[p]} is a {self.words[v]}" for p, v in zip(arguments, value, strict=True))
            return f"{first}, {second}"
        if len(value) in (0, len(self.names)):
            return "All of them" if value else "None of them"
        return f"Only {listed([self.names[p] for p in value])}"

    def _name(self, speaker: int, person: int) -> str:
        return "I" if person == speaker else self.names[person]

    def _object(self, speaker: int, person: int) -> str:
        return "me" if person == speaker else self.names[person]

    def _is(self, speaker: int, person: int, value: int) -> str:
        is_ = f"{self._name(speaker, person)} {'am' if person == speaker else 'is'}"
        if self.deed:
            return f"{is_} {'telling the truth' if value else 'lying'}"
        return f"{is_} a {self.words[value]}"

    def _pair(self, speaker: int, p: int, q: int) -> str:
        """The two, "I" last, as English has it."""
        first, second = (q, p) if p == speaker else (p, q)
        return f"{self._name(speaker, first)} and {self._name(speaker, second)}"
