"""What is asked of a seating: for each kind of question, the choices it can have and where each of them holds.

Question kinds: ``who b moves`` (follow the moves from b; a move is a side and a count, or ``opp``), ``swap x y b side
k`` (x and y exchange seats first), ``place a b`` (a's place seen from b), ``ends``, ``middle``, ``gap a b`` (people
between), ``neighbours a``, ``out`` (who faces outward), ``must`` and ``cannot`` (a statement).
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

from puzzles.puzzle import ProofError
from puzzles.seating.frame import OUT, SIDES, SeatingFrame

SeatingQuestion = tuple[Any, ...]
SeatingChoice = Any
"""A person, a pair of people, a number, a side and a count, or a statement, as the kind of question asks."""

MAX_MOVES = 3
"""Bounds the moves of a ``who`` question: everyone is tried for each person on the way. Ours are drawn with two."""

STATEMENTS = ("must", "cannot")


def criterion(question: SeatingQuestion) -> str:
    """The name, in ``models.CRITERIA``, of what the question's wording asks for."""
    return str(question[0]) if question[0] in STATEMENTS else "is"


def question_depth(question: SeatingQuestion) -> int:
    """Steps from the finished seating to the answer, beyond the first."""
    if question[0] == "who":
        return len(question[2]) - 1
    return 1 if question[0] == "swap" else 0


def holds(frame: SeatingFrame, question: SeatingQuestion, value: SeatingChoice) -> int:
    """The seatings in which ``value`` answers ``question``. Raises KeyError for a kind that does not exist."""
    kind, *arguments = question
    if kind in STATEMENTS:
        return frame.mask(value)
    if kind == "who":
        return _follow(frame, arguments[0], arguments[1], value)
    if kind == "swap":
        x, y, b, side, places = arguments
        before: dict[int, int] = {p: p for p in range(frame.people)} | {x: y, y: x}
        return frame.hop(before[b], side, places, before[value])
    if kind == "place":
        return frame.hop(arguments[1], value[0], value[1], arguments[0])
    if kind == "gap":
        return frame.mask(("apart", *arguments, value))
    if kind == "neighbours":
        return frame.mask(("between", arguments[0], *value))
    return {
        "ends": lambda: frame.at_end(value[0]) & frame.at_end(value[1]),
        "middle": lambda: frame.mask(("middle", value)),
        "out": lambda: frame.turned(value, OUT),
    }[kind]()


def values(frame: SeatingFrame, question: SeatingQuestion) -> dict[SeatingChoice, int]:
    """Every value that is worth offering as a choice, with the seatings in which it answers the question.

    Not for statements, which have no end: those are chosen where clues are."""
    kind = question[0]
    everyone = range(frame.people)
    offered: list[SeatingChoice]
    if kind in ("who", "swap", "middle", "out"):
        mentioned = {"who": question[1:2], "swap": question[3:4]}.get(kind, ())
        offered = [p for p in everyone if p not in mentioned]
    elif kind == "place":
        furthest = frame.people // 2 if frame.shape == "circle" else frame.row - 1
        offered = [(side, k) for side in SIDES for k in range(1, min(furthest, 4) + 1)]
        if frame.shape == "circle" and frame.people % 2 == 0 and ("left", furthest) in offered:
            offered.remove(("left", furthest))
    elif kind == "gap":
        offered = list(range(frame.row - 1))
    else:
        offered = [pair for pair in combinations(everyone, 2) if kind == "ends" or question[1] not in pair]
    return {value: holds(frame, question, value) for value in offered}


def _follow(frame: SeatingFrame, start: int, moves: tuple[Any, ...], goal: int) -> int:
    if len(moves) > MAX_MOVES:
        raise ProofError(f"moves: found {len(moves)}; expected at most {MAX_MOVES}")
    (side, places), *rest = moves
    if not rest:
        return frame.facing(start, goal) if side == "opp" else frame.hop(start, side, places, goal)
    found = 0
    for through in range(frame.people):
        if through != start:
            found |= _follow(frame, start, moves[:1], through) & _follow(frame, through, tuple(rest), goal)
    return found


def describe_seating(frame: SeatingFrame, model: tuple[int, ...], names: tuple[str, ...]) -> str:
    """One seating as a person would write it down."""
    seats = sorted(range(frame.people), key=lambda p: model[p])
    if frame.shape == "circle":
        turned = ["" if frame.turns[p] or model[frame.people + p] != OUT else " (out)" for p in range(frame.people)]
        return "clockwise " + ", ".join(names[p] + turned[p] for p in seats)
    if frame.shape == "rows":
        first, second = seats[: frame.row], seats[frame.row :]
        return f"from west to east {', '.join(names[p] for p in first)} over {', '.join(names[p] for p in second)}"
    return "from west to east " + ", ".join(names[p] for p in seats)
