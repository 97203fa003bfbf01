"""Circular seating: all facing the centre, all outward, or mixed, told beforehand or to be found out.

Who faces the centre has the next person clockwise to the left; who faces outward, to the right.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import permutations

from puzzles.seating.family import SeatingFamily
from puzzles.seating.frame import IN, OUT, SIDES, Clue, SeatingFrame, seating_frame
from puzzles.seating.questions import SeatingQuestion
from puzzles.words import people


class CircularSeating(SeatingFamily):
    """See the module."""

    name = "circular_seating"

    def frame(self, rng: random.Random, low: float) -> SeatingFrame:
        number = rng.choice((5, 5, 6) if low < 7.5 else (5, 6, 6, 7) if low < 10.5 else (6, 7, 8))
        style = rng.choice(("in", "in", "out", "told", "hidden"))
        if style == "told":
            outward = set(rng.sample(range(number), rng.randint(1, number // 2)))
            return seating_frame("circle", tuple(OUT if p in outward else IN for p in range(number)))
        if style == "hidden":
            return seating_frame("circle", (0,) * min(number, 6))
        return seating_frame("circle", (OUT if style == "out" else IN,) * number)

    def names(self, frame: SeatingFrame, rng: random.Random) -> tuple[str, ...]:
        return people(rng, frame.people)

    def candidates(self, frame: SeatingFrame, rng: random.Random) -> Iterator[tuple[Clue, float]]:
        half = frame.people // 2
        even = frame.people % 2 == 0
        for a, b in permutations(range(frame.people), 2):
            for places in range(1, half if even else half + 1):
                yield ("rel", a, b, rng.choice(SIDES), places), 1.0
            if even:
                yield ("opprel", a, b, rng.choice(SIDES), 1), 0.15
            if a < b:
                yield ("near", a, b), 1.0
                yield ("far", a, b), 0.4
                if even:
                    yield ("opp", a, b), 1.5
                yield from ((("between", c, a, b), 0.25) for c in range(frame.people) if c not in (a, b))
                if 0 in frame.turns:
                    yield (rng.choice(("same", "differ")), a, b), 1.0
        if 0 in frame.turns:
            for a in range(frame.people):
                yield ("face", a, rng.choice((IN, OUT))), 1.5
                yield ("around", a, rng.choice((IN, OUT))), 0.7
            yield ("outs", rng.randint(1, half)), 6.0

    def question(self, frame: SeatingFrame, rng: random.Random) -> SeatingQuestion:
        even = frame.people % 2 == 0
        a, b, c = rng.sample(range(frame.people), 3)
        side, places = rng.choice(SIDES), rng.randint(1, (frame.people - 1) // 2)
        kind = rng.choice(("who", "who", "who", "two", "two", "swap", "place", "must", "cannot", "neighbours", "out"))
        if (kind == "out" and 0 not in frame.turns) or (kind == "swap" and len(set(frame.turns) | {0}) != 2):
            kind = "two"
        if kind == "swap" and 0 in frame.turns:
            kind = "who"
        if kind == "who":
            return ("who", a, (("opp", 0),) if even and rng.random() < 0.3 else ((side, places),))
        if kind == "two":
            moves = [(side, places), ("opp", 0) if even and rng.random() < 0.6 else (rng.choice(SIDES), 1)]
            rng.shuffle(moves)
            return ("who", a, tuple(moves))
        if kind == "swap":
            return ("swap", a, b, rng.choice((a, c)), side, places)
        if kind == "place":
            return (kind, a, b)
        return ("neighbours", a) if kind == "neighbours" else (kind,)
