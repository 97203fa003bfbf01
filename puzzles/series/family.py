"""Alphanumeric and mixed series: terms of letters and numbers, each part with a rule of its own; numbers and letters by
turns; and letter patterns with blanks.

Proof: of all rules of the declared family (``rules``; a pattern's rules are its periods) that fit what is shown,
those no longer to describe than the key's all give the key, and no other choice follows from any rule, however long.
"""

from __future__ import annotations

import random
from itertools import product
from typing import Any, NamedTuple

from puzzles.family import Proof, Text, shuffled_choices
from puzzles.fingerprint import digest
from puzzles.puzzle import CHOICES, ProofError
from puzzles.series.letter_pattern import Row, draw_pattern, pattern_explanation, pattern_text, prove_pattern
from puzzles.series.rules import (
    ALPHABET,
    PRIMES,
    Rule,
    Shown,
    describe,
    description_bits,
    fitting,
    operations,
    terms,
)
from puzzles.series.structure import LETTER, NUMBER, SeriesPuzzle
from puzzles.series.text import shown_terms, written

MAX_NUMBER = 999


class Series:
    """See the module."""

    name = "series"
    topics = ("Mixed Series (Alphanumeric)",)
    reach = (3.0, 14.0)
    structure = SeriesPuzzle

    def draw(self, rng: random.Random, low: float, high: float) -> SeriesPuzzle | None:
        style = rng.choice(("terms", "terms", "terms", "turns", "pattern"))
        if style == "pattern":
            drawn = draw_pattern(rng, low)
            if drawn is None:
                return None
            pattern, key, others = drawn
            choices, place = shuffled_choices(rng, key, others)
            return SeriesPuzzle(style, (LETTER,), (pattern,), "", choices, place, rng.randrange(1 << 30))
        parts = self._parts(rng, low, style)
        count = rng.choice((5, 5, 6))
        hidden = count - 1 if style == "turns" or rng.random() < 0.65 else rng.randrange(2, count - 1)
        hard = 0.1 if low < 7.5 else 0.45 if low < 10.5 else 0.75
        sequences = [_sequence(rng, part, count, hard) for part in parts]
        if any(sequence is None for sequence in sequences):
            return None
        values = [sequence for sequence in sequences if sequence is not None]
        if style == "turns":
            asked = rng.randrange(2)
            rows: tuple[Row, ...]
            asked_row: Row = (*values[asked][:-1], None)
            solved = [values[asked]]
            if rng.random() < 0.5:
                parts, rows = (parts[1 - asked], parts[asked]), (tuple(values[1 - asked]), asked_row)
            else:  # The asked part comes first: the series ends with it, the other part is one term shorter.
                parts, rows = (parts[asked], parts[1 - asked]), (asked_row, tuple(values[1 - asked][:-1]))
        else:
            rows = tuple((*row[:hidden], None, *row[hidden + 1 :]) for row in values)
            solved = values
        wrong = self._choices(rng, solved, hidden, parts, rows)
        if wrong is None:
            return None
        choices, place = shuffled_choices(rng, tuple(row[hidden] for row in solved), wrong)
        separator = rng.choice(("", "", "", "-")) if style == "terms" else ""
        return SeriesPuzzle(style, parts, rows, separator, choices, place, rng.randrange(1 << 30))

    def prove(self, structure: SeriesPuzzle) -> Proof:
        """A step is an operation of a part's rule, or telling apart parts that come by turns; a part's alternatives are
        the rules no longer to describe than its own."""
        if structure.style == "pattern":
            return prove_pattern(structure.shown[0], structure.choices, structure.key)
        asked = [
            (row, part == LETTER) for row, part in zip(structure.shown, structure.parts, strict=True) if None in row
        ]
        key = structure.choices[structure.key]
        rules: list[Rule] = []
        given: list[set[int]] = []
        for (row, letters), value in zip(asked, key, strict=True):
            found = _continuation(row, letters)
            if found is None or found.value != value:
                raise ProofError(f"key: found {value}; expected the one value that the shortest fitting rules give")
            rules.append(found.rule)
            given.append(found.given)
        for place, choice in enumerate(structure.choices):
            follows = all(value in values for value, values in zip(choice, given, strict=True))
            if follows != (place == structure.key):
                raise ProofError(f"choice {place + 1}: found one that follows from a rule; expected only the key to")
        bits = [description_bits(rule) for rule in rules]
        depth = sum(map(operations, rules)) + (structure.style == "turns")
        findings: dict[str, Any] = {
            "criterion": "every rule no longer than the key's gives the key; no other choice follows from any rule",
            "rules": [list(rule) for rule in rules],
            "bits": [round(b, 3) for b in bits],
            "fitting": [len(values) for values in given],
        }
        return Proof(depth, sum(bits) / len(bits), findings)

    def render(self, structure: SeriesPuzzle) -> Text:
        rng = random.Random(structure.wording)
        if structure.style == "pattern":
            return pattern_text(structure.shown[0], structure.choices, rng)
        shown = ", ".join(shown_terms(structure))
        question = rng.choice(
            (
                f"Which term should replace the question mark in this series? {shown}",
                f"Find the missing term of the series: {shown}.",
                f"What should stand in place of the question mark? {shown}",
            )
        )
        parts = [part for row, part in zip(structure.shown, structure.parts, strict=True) if None in row]
        return Text(question, tuple(written(choice, parts, structure.separator) for choice in structure.choices))

    def explain(self, structure: SeriesPuzzle, proof: Proof) -> str:
        if structure.style == "pattern":
            return pattern_explanation(structure.shown[0], structure.choices[structure.key])
        asked = [(row, part) for row, part in zip(structure.shown, structure.parts, strict=True) if None in row]
        said = []
        for place, ((row, part), rule) in enumerate(zip(asked, proof.findings["rules"], strict=True), 1):
            kind, *numbers = rule
            full = [structure.choices[structure.key][place - 1] if value is None else value for value in row]
            values = ", ".join(written((value,), (part,), "") for value in full)
            name = f"Part {place}" if len(asked) > 1 else f"The {'letters' if part == LETTER else 'numbers'}"
            said.append(f"{name}: {values} ({describe((kind, *numbers), part == LETTER)}).")
        parts = [part for _, part in asked]
        return f"{' '.join(said)} So {written(structure.choices[structure.key], parts, structure.separator)}."

    def fingerprint(self, structure: SeriesPuzzle) -> str:
        """Letters count relative to each part's first, numbers as they are: shifted letters are another spelling."""
        if structure.style == "pattern":
            names: dict[int, int] = {}
            pattern = [-1 if v is None else names.setdefault(v, len(names)) for v in structure.shown[0]]
            return digest((structure.style, tuple(pattern)))
        rows = []
        for part, row in zip(structure.parts, structure.shown, strict=True):
            first = (row[0] or 0) if part == LETTER else 0
            rows.append(
                (part, tuple(-1 if v is None else (v - first) % (ALPHABET if part == LETTER else 10**9) for v in row))
            )
        return digest((structure.style, tuple(rows)))

    @staticmethod
    def _parts(rng: random.Random, low: float, style: str) -> tuple[str, ...]:
        if style == "turns":
            return rng.choice(((LETTER, NUMBER), (NUMBER, LETTER)))
        layouts = ("LN", "NL", "LNL", "LLN", "NLL", "LLL") if low < 7.5 else ("LNL", "LLN", "NLN", "LLL", "NLL", "LN")
        return tuple(rng.choice(layouts if low < 10.5 else ("LNL", "LLNL", "LNLN", "NLN", "LLN", "LLL", "LNLL")))

    @staticmethod
    def _choices(
        rng: random.Random, solved: list[list[int]], hidden: int, parts: tuple[str, ...], shown: tuple[Row, ...]
    ) -> list[tuple[int, ...]] | None:
        """Three wrong terms, near the right one, that no rule gives; ``solved`` holds the parts that are asked for."""
        asked = [(part, row) for part, row in zip(parts, shown, strict=True) if None in row]
        options = []
        for (part, row), full in zip(asked, solved, strict=True):
            letters = part == LETTER
            found = _continuation(row, letters)
            if found is None or found.value != full[hidden]:
                return None
            slips = [value for value in _slips(full, hidden, letters) if value not in found.given]
            if not slips:
                return None
            options.append((full[hidden], *rng.sample(slips, min(len(slips), 3 if len(solved) == 1 else 2))))
        key = tuple(full[hidden] for full in solved)
        near = [choice for choice in product(*options) if choice != key]
        # Choices that differ from the key in fewest parts come first: no part may give the key away.
        near.sort(key=lambda choice: (sum(a != b for a, b in zip(choice, key, strict=True)), rng.random()))
        return near[: CHOICES - 1] if len(near) >= CHOICES - 1 else None


def _sequence(rng: random.Random, part: str, count: int, hard: float) -> list[int] | None:
    """A part's full sequence; None where it leaves what can be shown."""
    letters = part == LETTER
    first = rng.randrange(ALPHABET) if letters else rng.randint(1, 30)
    rule = _rule(rng, letters, first, rng.random() < hard)
    if rule[0] in ("square", "cube"):
        first = rule[1] ** (2 if rule[0] == "square" else 3) + rule[2]
    elif rule[0] == "prime":
        first = rng.choice(PRIMES[:12])
    full = terms(rule, first, count + 1, letters)
    if len(full) <= count or not all(0 <= value <= MAX_NUMBER for value in full):
        return None
    return full[:count]


def _rule(rng: random.Random, letters: bool, first: int, hard: bool) -> Rule:
    step = rng.choice([n for n in range(-6, 8) if n])
    if not hard:
        if letters or rng.random() < 0.6:
            return "add", step if letters else step * rng.choice((1, 1, 2, 3))
        return rng.choice((("times", 2, 0), ("square", rng.randint(1, 9), 0), ("prime",), ("times", 3, 0)))
    if letters:
        other = rng.choice([n for n in range(-5, 6) if n not in (0, step)])
        return rng.choice((("grow", step, rng.choice((-2, -1, 1, 2))), ("turns", step, other)))
    return rng.choice(
        (
            ("grow", rng.randint(1, 9), rng.randint(1, 6)),
            ("turns", rng.randint(3, 15), -rng.randint(1, 9)),
            ("times", rng.choice((2, 2, 3)), rng.choice((-3, -2, -1, 1, 2, 3))),
            ("addmul", rng.randint(1, 6), 2),
            ("muladd", 2, rng.choice((-3, -2, -1, 1, 2, 3, 4))),
            ("square", rng.randint(1, 8), rng.choice((-2, -1, 1, 2))),
            ("cube", rng.randint(1, 3), rng.choice((-1, 0, 1))),
            ("sum", first + rng.randint(1, 8)),
        )
    )


def _slips(full: list[int], hidden: int, letters: bool) -> list[int]:
    """What a solver gets who repeats the last step, is one off, or stops one short."""
    value, before, two_before = full[hidden], full[hidden - 1], full[hidden - 2]
    found = [2 * before - two_before, value + 1, value - 1, before, value + 2, value - 2, 2 * value - before]
    if letters:
        found = [v % ALPHABET for v in found]
    return sorted({v for v in found if v >= 0 and v != value})


class Continuation(NamedTuple):
    """What the rules that fit a part say of its hidden value."""

    rule: Rule
    """The shortest rule that fits."""
    value: int
    """What it gives."""
    given: set[int]
    """What any rule that fits gives."""


def _continuation(row: Shown, letters: bool) -> Continuation | None:
    """None where no rule fits, or rules of the shortest description give different values."""
    hidden = list(row).index(None)
    fit = [
        (description_bits(rule), rule, terms(rule, row[0] or 0, len(row), letters)[hidden])
        for rule in fitting(row, letters)
    ]
    if not fit:
        return None
    bits, rule, value = min(fit)
    if any(other != value for length, _, other in fit if length <= bits):
        return None
    return Continuation(rule, value, {other for _, _, other in fit})
