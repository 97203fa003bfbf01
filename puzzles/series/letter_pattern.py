"""Letter patterns with blanks: a block of letters repeated, some of its letters left out.

The declared rules are the periods, from 2 letters to half the series; a rule is described by its block, so a longer
period is a longer description.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import log2
from typing import Any

from puzzles.family import Proof, Text
from puzzles.puzzle import CHOICES, ProofError

MIN_PERIOD = 2
Row = tuple[int | None, ...]
Fill = tuple[int, ...]


def period_fill(shown: Row, period: int) -> list[int | None] | None:
    """The series if it has that period, None where a letter stays open; None where what is shown contradicts it."""
    block: list[int | None] = [None] * period
    for place, letter in enumerate(shown):
        if letter is not None:
            if block[place % period] not in (None, letter):
                return None
            block[place % period] = letter
    return [block[place % period] for place in range(len(shown))]


def filled(shown: Row, fill: Sequence[int]) -> tuple[int, ...]:
    """The series with its blanks filled in order."""
    letters = iter(fill)
    return tuple(next(letters) if letter is None else letter for letter in shown)


def has_period(series: Sequence[int], period: int) -> bool:
    """Whether the series repeats after ``period`` letters."""
    return all(a == b for a, b in zip(series, series[period:], strict=False))


def periods(shown: Row) -> range:
    """The periods that count as a rule."""
    return range(MIN_PERIOD, len(shown) // 2 + 1)


def draw_pattern(rng: random.Random, low: float) -> tuple[Row, Fill, list[Fill]] | None:
    """What is shown, the key's fill and three near misses."""
    period = rng.choice((3, 4) if low < 7.5 else (4, 5, 6) if low < 10.5 else (6, 7, 8))
    repeats = rng.choice((3, 4)) if period < 6 else rng.choice((2, 3))
    size = rng.choice((2, 3)) if period < 6 else 3
    letters = rng.sample(range(26), size)
    block = [rng.choice(letters) for _ in range(period)]
    series = block * repeats
    blanks = sorted(rng.sample(range(len(series)), rng.randint(4, min(8, len(series) // 2))))
    shown: Row = tuple(None if place in blanks else letter for place, letter in enumerate(series))
    key = tuple(series[place] for place in blanks)
    others: list[Fill] = []
    for _ in range(40):
        fill = list(key)
        for place in rng.sample(range(len(fill)), rng.choice((1, 1, 2))):
            fill[place] = rng.choice([letter for letter in letters if letter != fill[place]])
        if tuple(fill) not in (key, *others) and not any(has_period(filled(shown, fill), q) for q in periods(shown)):
            others.append(tuple(fill))
    if len(others) < CHOICES - 1 or _shortest(shown, key) != period or len(set(block)) < size:
        return None
    return shown, key, others[: CHOICES - 1]


def _shortest(shown: Row, key: Fill) -> int | None:
    """The key's period, when every shorter one contradicts what is shown and it leaves no blank open; else None."""
    for period in periods(shown):
        series = period_fill(shown, period)
        if series is not None:
            return period if tuple(series) == filled(shown, key) else None
    return None


def prove_pattern(shown: Row, choices: Sequence[Fill], key: int) -> Proof:
    """A step is a letter of the block; the alternatives are the ways to fill one repetition's blanks.

    Raises ProofError unless the shortest period that fits gives the key, and no other choice any period at all.
    """
    period = _shortest(shown, choices[key])
    if period is None:
        raise ProofError("key: found letters that the shortest period does not give; expected those it gives")
    for place, fill in enumerate(choices):
        if place != key and any(has_period(filled(shown, fill), q) for q in periods(shown)):
            raise ProofError(f"choice {place + 1}: found one that makes a pattern; expected only the key to")
    alphabet = len({letter for letter in shown if letter is not None})
    bits = len(choices[key]) * log2(max(2, alphabet)) * period / len(shown)
    findings: dict[str, Any] = {
        "criterion": "the shortest period that fits gives the key; no other choice has any period",
        "period": period,
        "series": list(filled(shown, choices[key])),
    }
    return Proof(period, bits, findings)


def pattern_text(shown: Row, choices: Sequence[Fill], rng: random.Random) -> Text:
    """The question and the choices."""
    series = " ".join("_" if letter is None else _letter(letter) for letter in shown)
    question = rng.choice(
        (
            f"Which letters, filled into the blanks in this order, make a repeating pattern: {series}?",
            f"Which letters complete the repeating series when they fill its blanks in order? {series}",
        )
    )
    return Text(question, tuple("".join(map(_letter, fill)) for fill in choices))


def pattern_explanation(shown: Row, key: Fill) -> str:
    """The block, and that it is repeated."""
    period = _shortest(shown, key) or len(shown)
    series = "".join(map(_letter, filled(shown, key)))
    blocks = [series[start : start + period] for start in range(0, len(series), period)]
    return (
        f"With {''.join(map(_letter, key))} the series is {' '.join(blocks)}: the block {blocks[0]} repeated. No "
        f"shorter block fits the letters shown, and no other choice gives a repeating series."
    )


def _letter(value: int) -> str:
    return chr(ord("A") + value)
