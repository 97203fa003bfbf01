"""Seating puzzles in English. Every sentence here is read back by the tests into the clue it came from."""

from __future__ import annotations

import random

from puzzles.seating.frame import IN, NORTH, OUT, PEOPLE, Clue
from puzzles.seating.questions import SeatingChoice, SeatingQuestion
from puzzles.words import NUMBERS, ORDINALS, counted, listed, sentence

Names = tuple[str, ...]

_TURNS = {OUT: "outward", IN: "the centre"}

_FORMS: dict[str, tuple[str, ...]] = {
    "rel": ("{0} sits {place} {1}", "{0} is {place} {1}", "the person {place} {1} is {0}"),
    "side": ("{0} sits somewhere to the {2} of {1}", "{0} is to the {2} of {1}, not necessarily next to {1}"),
    "near": ("{0} sits next to {1}", "{0} and {1} are neighbours", "{0} is a neighbour of {1}"),
    "far": ("{0} does not sit next to {1}", "{0} and {1} are not neighbours"),
    "apart": ("exactly {between} between {0} and {1}",),
    "between": ("{0} sits between {1} and {2}, next to both", "{1} and {2} are both neighbours of {0}"),
    "end": ("{0} sits at one of the ends", "{0} is at an end of the row"),
    "inner": ("{0} does not sit at an end", "{0} is not at either end"),
    "middle": ("{0} sits exactly in the middle", "{0} has the middle seat"),
    "nth": ("{0} is {nth} from the {1} end", "{0} sits {nth} from the {1} end"),
    "opp": ("{0} sits opposite {1}", "{0} and {1} sit opposite each other"),
    "opprel": ("{0} sits opposite the person {place} {1}",),
    "face": ("{0} faces {turn}",),
    "same": ("{0} and {1} face the same direction",),
    "differ": ("{0} and {1} face different directions",),
    "outs": ("exactly {count} outward",),
    "around": ("both neighbours of {0} face {turn}",),
}


def place(side: str, places: int) -> str:
    """ "second to the left of"."""
    return f"immediately to the {side} of" if places == 1 else f"{ORDINALS[places]} to the {side} of"


def say(clue: Clue, names: Names, rng: random.Random) -> str:
    """A clue as a clause, without capital and full stop where it does not begin with a name."""
    kind, *arguments = clue
    people = PEOPLE.get(str(kind), 2)
    words = [names[int(a)] if i < people else a for i, a in enumerate(arguments)]
    details: dict[str, str] = {}
    if kind in ("rel", "opprel"):
        details["place"] = place(str(arguments[2]), int(arguments[3]))
    elif kind == "apart":
        count = int(arguments[2])
        details["between"] = f"{counted(count, 'person', 'people')} {'sits' if count == 1 else 'sit'}"
    elif kind == "nth":
        details["nth"] = ORDINALS[int(arguments[2])]
    elif kind in ("face", "around"):
        details["turn"] = _TURNS[int(arguments[1])]
    elif kind == "outs":
        count = int(arguments[0])
        details["count"] = f"{NUMBERS[count]} of them {'faces' if count == 1 else 'face'}"
    return rng.choice(_FORMS[str(kind)]).format(*words, **details)


def setting(shape: str, turns: tuple[int, ...], names: Names, rng: random.Random) -> str:
    """The opening sentences: who sits where, facing where."""
    number = len(names)
    everyone = listed(names)
    if shape == "rows":
        first, second = listed(names[: number // 2]), listed(names[number // 2 :])
        return (
            f"{first} sit in a row facing south. {second} sit in a second row facing north, each opposite one person "
            f"of the first row."
        )
    if shape == "row":
        direction = "north" if turns[0] == NORTH else "south"
        return rng.choice(
            (
                f"{everyone} sit in a row facing {direction}.",
                f"{NUMBERS[number].capitalize()} friends, {everyone}, sit in one row, all facing {direction}.",
            )
        )
    table = rng.choice(("around a circular table", "around a round table", "in a circle"))
    opening = f"{everyone} sit {table}"
    outward = [name for name, turn in zip(names, turns, strict=True) if turn == OUT]
    if 0 in turns:
        return f"{opening}. Each faces the centre or outward."
    if len(outward) in (0, number):
        return f"{opening} facing {_TURNS[turns[0]]}."
    return f"{opening}. {listed(outward)} {'faces' if len(outward) == 1 else 'face'} outward, the others the centre."


def ask(question: SeatingQuestion, names: Names, rng: random.Random) -> str:
    """The closing question."""
    kind, *arguments = question
    if kind == "who":
        start, moves = arguments
        end = names[start]
        for side, places in moves[:-1]:
            end = f"the person {'opposite' if side == 'opp' else place(side, places)} {end}"
        side, places = moves[-1]
        where = "opposite" if side == "opp" else place(side, places)
        return rng.choice((f"Who sits {where} {end}?", f"Who is {where} {end}?"))
    if kind == "swap":
        x, y, b, side, places = arguments
        exchange = rng.choice(("exchange seats", "swap places"))
        return f"If {names[x]} and {names[y]} {exchange}, who sits {place(side, places)} {names[b]}?"
    if kind == "place":
        a, b = (names[p] for p in arguments)
        return rng.choice((f"Where does {a} sit with respect to {b}?", f"What is the position of {a} relative to {b}?"))
    if kind == "gap":
        a, b = (names[p] for p in arguments)
        return f"How many people sit between {a} and {b}?"
    if kind == "neighbours":
        return f"Who are the neighbours of {names[arguments[0]]}?"
    return {
        "ends": "Who sit at the two ends?",
        "middle": "Who sits exactly in the middle?",
        "out": "Who faces outward?",
        "must": rng.choice(("Which of these must be true?", "Which statement is certainly true?")),
        "cannot": rng.choice(("Which of these cannot be true?", "Which statement is certainly false?")),
    }[kind]


def choice(question: SeatingQuestion, value: SeatingChoice, names: Names) -> str:
    """A choice's text: plain, and the same whatever the wording of the rest."""
    kind = question[0]
    if kind in ("must", "cannot"):
        return sentence(say(value, names, random.Random(0)))
    if kind == "place":
        side, places = value
        return f"{'Immediately' if places == 1 else ORDINALS[places].capitalize()} to the {side}"
    if kind == "gap":
        return NUMBERS[value].capitalize()
    if kind in ("ends", "neighbours"):
        return f"{names[value[0]]} and {names[value[1]]}"
    return names[value]
