"""Seats, who can sit where, and the set of seatings in which a clue holds.

Seats are numbered as seen from above. A row's run from west to east; of two rows the second (north of nothing, facing
north) runs on from the first, seat ``m`` behind seat 0's opposite; a circle's run clockwise. A person's *turn* is the
seat step to their right hand: +1 for north in a row and outward on a circle, -1 for south and for the centre. So left
and right are always the sitters' own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import permutations, product

from puzzles.model_checking import ModelSpace, conjunction
from puzzles.puzzle import ProofError

Clue = tuple[str | int, ...]
"""A kind and its arguments. People are numbers; sides ``right`` or ``left``; counts from 1.

``rel a b side k``: a is k-th to that side of b. ``side a b side``: a is somewhere to that side of b. ``near``, ``far``:
next to each other or not. ``apart a b k``: k people between them (row). ``between a b c``: a next to both. ``end``,
``inner``, ``middle``, ``nth a side k``: from that end. ``opp a b``: face to face. ``opprel a b side k``: a is opposite
the one who is k-th to that side of b. ``face a turn``, ``same a b``, ``differ a b``, ``outs k``: how many face outward.
``around a turn``: both neighbours of a have that turn."""

MAX_PEOPLE = 8
MAX_UNTOLD_PEOPLE = 6
"""Where it is not told who faces outward there are 2 to the people times as many models."""

SIDES = ("right", "left")
NORTH = OUT = 1
SOUTH = IN = -1


class SeatingFrame:
    """A frame: a shape (``row``, ``rows`` or ``circle``), and each person's turn, or 0 where it is not told.

    In ``rows`` the first half of the people sits in the first row, which faces south, the rest in the second, which
    faces north. On a circle only what is relative counts: the first person's seat is 0.
    """

    def __init__(self, shape: str, turns: tuple[int, ...]) -> None:
        self.shape, self.turns, self.people = shape, turns, len(turns)
        self.row = self.people // 2 if shape == "rows" else self.people
        self._told = 0 not in turns
        self.space = _space(shape, self.people, self._told)
        self._masks: dict[Clue, int] = {}

    def at(self, person: int, seat: int) -> int:
        """The seatings with ``person`` on ``seat``."""
        return self.space.atom(person, seat)

    def turned(self, person: int, turn: int) -> int:
        """The seatings in which ``person`` has that turn."""
        if self._told:
            return self.space.everything if self.turns[person] == turn else 0
        return self.space.atom(self.people + person, turn)

    def step(self, seat: int, turn: int, side: str, places: int) -> int | None:
        """The seat ``places`` to that side of one who sits on ``seat`` with that turn; None beyond the end of a row."""
        move = turn * places * (1 if side == "right" else -1)
        if self.shape == "circle":
            return (seat + move) % self.people
        row, column = divmod(seat, self.row)
        return row * self.row + column + move if 0 <= column + move < self.row else None

    def opposite(self, seat: int) -> int | None:
        """The seat face to face with ``seat``, where there is one."""
        if self.shape == "rows":
            return (seat + self.row) % self.people
        return (seat + self.people // 2) % self.people if self.shape == "circle" and self.people % 2 == 0 else None

    def beside(self, seat: int) -> list[int]:
        """The seats next to ``seat``."""
        around = (self.step(seat, 1, side, 1) for side in SIDES)
        return [other for other in around if other is not None]

    def hop(self, b: int, side: str, places: int, a: int) -> int:
        """The seatings in which a is ``places`` to that side of b."""
        found = 0
        for turn in (1, -1) if self.turns[b] == 0 else (self.turns[b],):
            goals = ((seat, self.step(seat, turn, side, places)) for seat in range(self.people))
            found |= self.turned(b, turn) & self._any(
                self.at(b, seat) & self.at(a, goal) for seat, goal in goals if goal is not None
            )
        return found

    def facing(self, a: int, b: int) -> int:
        """The seatings in which a and b sit face to face."""
        return self._pairs(a, b, lambda seat: [self.opposite(seat)])

    def beside_each_other(self, a: int, b: int) -> int:
        """The seatings in which a and b are neighbours."""
        return self._pairs(a, b, self.beside)

    def at_end(self, person: int) -> int:
        """The seatings in which ``person`` sits at an end of a row."""
        return self._any(self.at(person, seat) for seat in range(self.people) if len(self.beside(seat)) == 1)

    def mask(self, clue: Clue) -> int:
        """The seatings in which ``clue`` holds. Raises KeyError for a kind that does not exist."""
        if clue not in self._masks:
            kind, *arguments = clue
            self._masks[clue] = _KINDS[str(kind)](self, *arguments)
        return self._masks[clue]

    def _pairs(self, a: int, b: int, others: Callable[[int], list[int | None]] | Callable[[int], list[int]]) -> int:
        return self._any(
            self.at(a, seat) & self.at(b, other)
            for seat in range(self.people)
            for other in others(seat)
            if other is not None
        )

    @staticmethod
    def _any(masks: Iterator[int]) -> int:
        found = 0
        for mask in masks:
            found |= mask
        return found

    def _not(self, mask: int) -> int:
        return self.space.everything & ~mask

    def _side(self, a: int, b: int, side: str) -> int:
        return self._any(self.hop(b, side, places, a) for places in range(1, self.row))

    def _apart(self, a: int, b: int, between: int) -> int:
        return self._any(self.hop(b, side, between + 1, a) for side in SIDES)

    def _middle(self, a: int) -> int:
        return self.at(a, self.people // 2) if self.people % 2 else 0

    def _nth(self, a: int, side: str, k: int) -> int:
        return self.at(a, k - 1 if side == "left" else self.people - k)

    def _opposite_relative(self, a: int, b: int, side: str, places: int) -> int:
        return self._any(self.hop(b, side, places, c) & self.facing(a, c) for c in range(self.people) if c != b)

    def _same(self, a: int, b: int) -> int:
        return self._any(self.turned(a, turn) & self.turned(b, turn) for turn in (1, -1))

    def _outs(self, count: int) -> int:
        return self._any(
            conjunction((self.turned(p, turn) for p, turn in enumerate(turns)), self.space.everything)
            for turns in product((OUT, IN), repeat=self.people)
            if turns.count(OUT) == count
        )

    def _around(self, a: int, turn: int) -> int:
        others = [p for p in range(self.people) if p != a]
        return conjunction(
            (self._not(self.beside_each_other(a, p)) | self.turned(p, turn) for p in others), self.space.everything
        )


_KINDS: dict[str, Callable[..., int]] = {
    "rel": lambda s, a, b, side, k: s.hop(b, side, k, a),
    "side": SeatingFrame._side,
    "near": SeatingFrame.beside_each_other,
    "far": lambda s, a, b: s._not(s.beside_each_other(a, b)),
    "apart": SeatingFrame._apart,
    "between": lambda s, a, b, c: s.beside_each_other(a, b) & s.beside_each_other(a, c),
    "end": SeatingFrame.at_end,
    "inner": lambda s, a: s._not(s.at_end(a)),
    "middle": SeatingFrame._middle,
    "nth": SeatingFrame._nth,
    "opp": SeatingFrame.facing,
    "opprel": SeatingFrame._opposite_relative,
    "face": SeatingFrame.turned,
    "same": SeatingFrame._same,
    "differ": lambda s, a, b: s._not(s._same(a, b)),
    "outs": SeatingFrame._outs,
    "around": SeatingFrame._around,
}

FACTS = {"between": 2, "opprel": 2, "around": 2}
"""Elementary facts that a kind of clue says, where it is not one."""

PEOPLE = {"between": 3, "end": 1, "inner": 1, "middle": 1, "nth": 1, "face": 1, "around": 1, "outs": 0}
"""How many of a clue's first arguments are people, where it is not two."""


@lru_cache(maxsize=32)
def _space(shape: str, people: int, told: bool) -> ModelSpace:
    if shape == "row":
        return ModelSpace(permutations(range(people)))
    if shape == "rows":
        half = people // 2
        first, second = permutations(range(half)), list(permutations(range(half, people)))
        return ModelSpace(a + b for a, b in product(first, second))
    seats = [(0, *rest) for rest in permutations(range(1, people))]
    if told:
        return ModelSpace(seats)
    return ModelSpace(a + turns for a, turns in product(seats, product((OUT, IN), repeat=people)))


@lru_cache(maxsize=64)
def seating_frame(shape: str, turns: tuple[int, ...]) -> SeatingFrame:
    """The frame of that shape and those turns, made once. Raises ProofError for more people than are ever seated."""
    if len(turns) > (MAX_PEOPLE if 0 not in turns else MAX_UNTOLD_PEOPLE):
        raise ProofError(f"people: found {len(turns)}; expected at most {MAX_PEOPLE}")
    return SeatingFrame(shape, turns)
