"""Reads a series out of a question and solves it with every rule of the family, by brute force."""

from __future__ import annotations

import math
import re
from functools import cache
from itertools import count, islice

ALL = range(-60, 61)


def is_prime(n):
    return n > 1 and all(n % d for d in range(2, n))


def rules(letters):
    """Every rule of the family with its generator, none of it taken from the solver."""

    def stepping(first, steps):
        value = first
        for step in steps:
            yield value
            value += step

    def alternating(first, one, two):
        value = first
        for place in count():
            yield value
            value = (two if place % 2 else one)(value)

    small = [n for n in range(-9, 10) if n]
    rotations = range(-12, 14)
    for b in rotations if letters else ALL:
        if b:
            yield ("add", b), lambda v, b=b: stepping(v, iter(lambda: b, None))
        for c in small:
            yield ("grow", b, c), lambda v, b=b, c=c: stepping(v, count(b, c))
        for c in rotations if letters else ALL:
            if c != b:
                yield ("turns", b, c), lambda v, b=b, c=c: alternating(v, lambda x: x + b, lambda x: x + c)
    if letters:
        return
    for r in range(2, 5):
        for c in range(-9, 10):
            yield ("times", r, c), lambda v, r=r, c=c: alternating(v, lambda x: x * r + c, lambda x: x * r + c)
        for b in ALL:
            if b:
                yield ("addmul", b, r), lambda v, r=r, b=b: alternating(v, lambda x: x + b, lambda x: x * r)
                yield ("muladd", r, b), lambda v, r=r, b=b: alternating(v, lambda x: x * r, lambda x: x + b)
    for c in range(-9, 10):
        for k in range(32):
            yield ("square", k, c), lambda v, k=k, c=c: ((k + i) ** 2 + c for i in count())
            yield ("cube", k, c), lambda v, k=k, c=c: ((k + i) ** 3 + c for i in count())
    yield ("prime",), lambda v: (n for n in range(v, 199) if is_prime(n))


@cache
def letter_table():
    return [(rule, tuple(v % 26 for v in islice(make(0), 7))) for rule, make in rules(letters=True)]


@cache
def brute(shown, letters):
    """Every rule that gives the shown values -> what it gives in the hidden place."""
    hidden = shown.index(None)
    found = {}
    if letters:
        for rule, values in letter_table():
            values = [(v + shown[0]) % 26 for v in values[: len(shown)]]
            if all(s in (None, v) for s, v in zip(shown, values, strict=False)):
                found[rule] = values[hidden]
        return found
    for rule, make in rules(letters=False):
        values = []
        for v, s in zip(make(shown[0]), shown, strict=False):
            if s not in (None, v):
                break
            values.append(v)
        if len(values) == len(shown):
            found[rule] = values[hidden]
    values = [shown[0], shown[1]]
    while len(values) < len(shown):
        values.append(values[-1] + values[-2])
    if all(s in (None, v) for s, v in zip(shown, values, strict=False)):
        found["sum", shown[1]] = values[hidden]
    return found


def bits(rule):
    """Description length, as the documentation states it."""
    kind, *n = rule
    n = n[1:] if kind in ("square", "cube") else [] if kind == "sum" else n
    return (kind != "add") * 2 + sum(math.log2(1 + abs(x)) + (x < 0) for x in n)


def split(term):
    return [ord(p) - 65 if p.isalpha() else int(p) for p in re.findall(r"[A-Z]|\d+", term)]


def follows(columns, values, budget=None):
    """Whether rules (the shortest, or any) give these values in the hidden places of the columns."""
    for (shown, letters), value in zip(columns, values, strict=False):
        found = brute(tuple(shown), letters)
        shortest = min(map(bits, found))
        given = {v for rule, v in found.items() if budget is None or bits(rule) <= shortest + budget}
        if value not in given:
            return False
    return True


def check_pattern(puzzle, series):
    """Whether a filled series repeats a block, and whether a shorter or equal block would allow another fill."""
    row = series.split()
    periods = range(2, len(row) // 2 + 1)

    def fill(choice):
        letters = iter(choice)
        return [next(letters) if c == "_" else c for c in row]

    def repeats(full, p):
        return all(full[i] == full[i % p] for i in range(len(full)))

    right = [i for i, choice in enumerate(puzzle.choices) if any(repeats(fill(choice), p) for p in periods)]
    assert right == [puzzle.key]
    best = min(p for p in periods if repeats(fill(puzzle.choices[puzzle.key]), p))
    for p in range(2, best + 1):
        blocks = [{row[i] for i in range(k, len(row), p)} - {"_"} for k in range(p)]
        if all(len(block) <= 1 for block in blocks):
            assert p == best
            assert all(blocks), "a letter of the block is nowhere to be seen"


def solve(puzzle):
    """Places of the choices that the shortest rules give; of those that any rule gives. None for a block that repeats:
    ``check_pattern`` raises AssertionError where it does not settle the key."""
    pattern = re.search(r"(?:: |\? )((?:[A-Z_] )+[A-Z_])\??$", puzzle.question)
    if pattern:
        check_pattern(puzzle, pattern[1])
        return None
    shown = re.search(r"((?:[A-Z0-9-]+|\?)(?:, (?:[A-Z0-9-]+|\?))+)\.?$", puzzle.question)[1].split(", ")
    if all(len(split(term)) == 1 for term in shown if term != "?"):
        hidden = shown.index("?")
        asked = [None if term == "?" else split(term)[0] for term in shown[hidden % 2 :: 2]]
        columns = [(asked, puzzle.choices[0].isalpha())]
    else:
        rows = [split(term) if term != "?" else None for term in shown]
        width = len(next(row for row in rows if row))
        first = next(term for term in shown if term != "?")
        kinds = [part.isalpha() for part in re.findall(r"[A-Z]|\d+", first)]
        columns = [([row and row[c] for row in rows], kinds[c]) for c in range(width)]
    values = [split(choice) for choice in puzzle.choices]
    return [[i for i, v in enumerate(values) if follows(columns, v, budget)] for budget in (0, None)]
