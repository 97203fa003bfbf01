"""Linear seating: one row facing north or south, or two rows facing each other.

Left and right are the sitters' own: in a row facing south, and in the first of two rows, they are the reader's right
and left. "From the left end" is said only of rows facing north, where both agree.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import permutations

from puzzles.seating.family import SeatingFamily
from puzzles.seating.frame import NORTH, SIDES, SOUTH, Clue, SeatingFrame, seating_frame
from puzzles.seating.questions import SeatingQuestion
from puzzles.words import LETTERS, people

SECOND_ROW = "PQRST"


class LinearSeating(SeatingFamily):
    """See the module. Half of the hypothetical questions ("if A and B exchange seats") keep to one row."""

    name = "linear_seating"

    def frame(self, rng: random.Random, low: float) -> SeatingFrame:
        if rng.random() < 0.35:
            half = 3 if low < 7.5 else 4
            return seating_frame("rows", (SOUTH,) * half + (NORTH,) * half)
        number = rng.choice((5, 5, 6) if low < 7.5 else (5, 6, 6, 7) if low < 10.5 else (6, 7, 7))
        return seating_frame("row", (rng.choice((NORTH, NORTH, SOUTH)),) * number)

    def names(self, frame: SeatingFrame, rng: random.Random) -> tuple[str, ...]:
        if frame.shape == "rows" and rng.random() < 0.5:
            return tuple(LETTERS[: frame.row] + SECOND_ROW[: frame.row])
        return people(rng, frame.people)

    def candidates(self, frame: SeatingFrame, rng: random.Random) -> Iterator[tuple[Clue, float]]:
        rows = frame.shape == "rows"
        for a, b in permutations(range(frame.people), 2):
            if rows and (a < frame.row) != (b < frame.row):
                if a < b:
                    yield ("opp", a, b), 2.0
                yield ("opprel", a, b, rng.choice(SIDES), rng.randint(1, 2)), 2.0
                continue
            for places in range(1, min(4, frame.row)):
                yield ("rel", a, b, rng.choice(SIDES), places), 1.0 if places < 3 else 0.5
            if a < b:
                yield ("near", a, b), 1.0
                yield ("far", a, b), 0.4
                for between in range(1, frame.row - 1):
                    yield ("apart", a, b, between), 1.0
                if not rows:
                    yield from ((("between", c, a, b), 0.3) for c in range(frame.people) if c not in (a, b))
            yield ("side", a, b, rng.choice(SIDES)), 0.7
        for a in range(frame.people):
            yield ("end", a), 1.5
            yield ("inner", a), 0.6
            if not rows:
                if frame.people % 2:
                    yield ("middle", a), 0.7
                if frame.turns[0] == NORTH:
                    yield ("nth", a, rng.choice(SIDES), rng.randint(2, frame.people - 1)), 0.7

    def question(self, frame: SeatingFrame, rng: random.Random) -> SeatingQuestion:
        rows = frame.shape == "rows"
        a, b, c = rng.sample(range(frame.people), 3)
        side, places = rng.choice(SIDES), rng.randint(1, 2 if rows else 3)
        kind = rng.choice(("who", "who", "who", "two", "swap", "place", "gap", "must", "cannot", "ends", "middle"))
        if (rows and kind in ("gap", "ends", "middle", "place")) or (kind == "middle" and frame.people % 2 == 0):
            kind = "two"
        if kind == "who":
            return ("who", a, (("opp", 0),) if rows and rng.random() < 0.4 else ((side, places),))
        if kind == "two":
            other = ("opp", 0) if rows else (rng.choice(SIDES), rng.randint(1, 3))
            moves = [(side, places), other]
            rng.shuffle(moves)
            return ("who", a, tuple(moves))
        if kind == "swap":
            if rows:
                a, b = (
                    rng.sample(range(frame.row), 2) if a < frame.row else rng.sample(range(frame.row, 2 * frame.row), 2)
                )
                c = rng.choice([p for p in range(frame.people) if p != b and (p < frame.row) == (a < frame.row)])
            return ("swap", a, b, rng.choice((a, c)), side, places)
        if kind in ("place", "gap"):
            return (kind, a, b)
        return (kind,)
