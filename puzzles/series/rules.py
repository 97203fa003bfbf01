"""The declared family of rules of a series, their description length, and all rules that fit what is shown.

A rule continues a sequence from its first term. Letters are numbers from 0 (A) to 25, counted modulo 26. Rules:

``add b``; ``grow b c`` (the step is b, then b + c, b + 2c …); ``turns b c`` (+ b and + c by turns); for numbers also
``times r c`` (r times the last, plus c), ``addmul b r`` (+ b and × r by turns), ``muladd r b`` (× r and + b by turns),
``square k c`` and ``cube k c`` (k², (k + 1)² … plus c), ``prime`` (one prime after the other), ``sum second`` (each is
the sum of the two before).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isqrt, log2
from typing import Any

Rule = tuple[Any, ...]
"""A kind and its numbers."""
Shown = Sequence[int | None]
"""A sequence's terms, None where one is hidden. The first two are always shown."""

ALPHABET = 26
MAX_STEP = 60
MAX_GROWTH = 9
MAX_FACTOR = 4
MAX_OFFSET = 9
PRIMES = tuple(n for n in range(2, 200) if all(n % d for d in range(2, isqrt(n) + 1)))

_KIND_BITS = 2.0
"""What it takes to say that a rule is none of the plainest, ``add``."""

OPERATIONS = {"add": 1, "grow": 2, "turns": 2, "times": 2, "addmul": 2, "muladd": 2, "square": 2, "cube": 2, "prime": 1}
"""Elementary facts a rule says; ``times`` and the powers one less without an offset. ``sum`` says one."""


def operations(rule: Rule) -> int:
    """Elementary facts that ``rule`` says."""
    kind, *numbers = rule
    plain = kind in ("times", "square", "cube") and numbers[-1] == 0
    return OPERATIONS.get(kind, 1) - plain


def description_bits(rule: Rule) -> float:
    """Description length: the kind, and for every number log2(1 + its size), one bit more when it is negative.

    What only says where the sequence begins (k of the powers, the second term of ``sum``) is free, as the first is.
    """
    kind, *numbers = rule
    paid: list[int] = numbers[1:] if kind in ("square", "cube") else [] if kind == "sum" else numbers
    return (0.0 if kind == "add" else _KIND_BITS) + sum(log2(1 + abs(n)) + (n < 0) for n in paid)


def continued(rule: Rule, first: int, letters: bool) -> Iterator[int]:
    """The terms from ``first`` on, without end; ``prime`` ends where ``PRIMES`` does."""
    kind, *n = rule
    if kind in ("square", "cube"):
        power = 2 if kind == "square" else 3
        place = 0
        while True:
            yield (n[0] + place) ** power + n[1]
            place += 1
    if kind == "prime":
        yield from PRIMES[PRIMES.index(first) :]
        return
    value, before, place = first, 0, 0
    while True:
        yield value % ALPHABET if letters else value
        odd = place % 2
        if kind == "add":
            value += n[0]
        elif kind == "grow":
            value += n[0] + place * n[1]
        elif kind == "turns":
            value += n[odd]
        elif kind == "times":
            value = value * n[0] + n[1]
        elif kind == "addmul":
            value = value * n[1] if odd else value + n[0]
        elif kind == "muladd":
            value = value + n[1] if odd else value * n[0]
        elif kind == "sum":
            value, before = (n[0] if place == 0 else value + before), value
        else:
            raise KeyError(kind)
        place += 1


def terms(rule: Rule, first: int, count: int, letters: bool) -> list[int]:
    """The first ``count`` terms, or fewer where the rule ends."""
    return [value for value, _ in zip(continued(rule, first, letters), range(count), strict=False)]


def fitting(shown: Shown, letters: bool) -> list[Rule]:
    """Every rule of the family that gives every shown term."""
    return [rule for rule in _candidates(shown, letters) if _gives(rule, shown, letters)]


def _gives(rule: Rule, shown: Shown, letters: bool) -> bool:
    known = 0
    for value, wanted in zip(continued(rule, shown[0] or 0, letters), shown, strict=False):
        if wanted is not None and value != wanted:
            return False
        known += 1
    return known == len(shown)


def _candidates(shown: Shown, letters: bool) -> Iterator[Rule]:
    first, second = shown[0], shown[1]
    if first is None or second is None:
        raise ValueError("shown: found a hidden term among the first two; expected both to be shown")
    step = second - first
    if letters:
        # The least step either way round the alphabet stands for all that differ by a whole round.
        step = (step + ALPHABET // 2 - 1) % ALPHABET - ALPHABET // 2 + 1
    if abs(step) <= MAX_STEP:
        if step:
            yield "add", step
        yield from (("grow", step, c) for c in _but_zero(MAX_GROWTH))
        turns = range(-ALPHABET // 2 + 1, ALPHABET // 2 + 1) if letters else range(-MAX_STEP, MAX_STEP + 1)
        yield from (("turns", step, c) for c in turns if c != step)
    if letters:
        return
    for factor in range(2, MAX_FACTOR + 1):
        if abs(second - factor * first) <= MAX_OFFSET:
            yield "times", factor, second - factor * first
        if step and abs(step) <= MAX_STEP:
            yield "addmul", step, factor
        if second == factor * first:
            yield from (("muladd", factor, b) for b in _but_zero(MAX_STEP))
    for offset in range(-MAX_OFFSET, MAX_OFFSET + 1):
        if first >= offset:
            root = isqrt(first - offset)
            if root * root == first - offset:
                yield "square", root, offset
            cube = round((first - offset) ** (1 / 3))
            if cube**3 == first - offset:
                yield "cube", cube, offset
    if first in PRIMES:
        yield ("prime",)
    yield "sum", second


def _but_zero(limit: int) -> Iterable[int]:
    return (n for n in range(-limit, limit + 1) if n)


def describe(rule: Rule, letters: bool) -> str:
    """The rule in words."""
    kind, *n = rule
    signed = [f"+{x}" if x >= 0 else f"−{-x}" for x in n]
    if letters:
        signed = [f"{abs(x)} {'forward' if x >= 0 else 'back'}" for x in n]
    said: dict[str, Callable[[], str]] = {
        "add": lambda: f"{signed[0]} each time",
        "grow": lambda: f"{signed[0]} first, the step changing by {n[1]:+d}".replace("-", "−"),
        "turns": lambda: f"{signed[0]} and {signed[1]} by turns",
        "times": lambda: f"×{n[0]}" + (signed[1] if n[1] else "") + " each time",
        "addmul": lambda: f"{signed[0]} and ×{n[1]} by turns",
        "muladd": lambda: f"×{n[0]} and {signed[1]} by turns",
        "square": lambda: f"squares from {n[0]}²" + (f", {signed[1]}" if n[1] else ""),
        "cube": lambda: f"cubes from {n[0]}³" + (f", {signed[1]}" if n[1] else ""),
        "prime": lambda: "consecutive primes",
        "sum": lambda: "each the sum of the two before",
    }
    return said[kind]()
