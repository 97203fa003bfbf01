"""Reads a seating puzzle's English and solves it by trying every seating, with geometry from coordinates."""

from __future__ import annotations

import math
import re
from itertools import permutations, product

from verdicts import decided

NUMBERS = {"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
ORDINALS = {"second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6}
NAME = r"([A-Z][a-z]*)"
PLACE = r"(immediately|second|third|fourth|fifth|sixth) to the (left|right)"


def left_of(facing: tuple[float, float]) -> tuple[float, float]:
    """A quarter turn against the clock, seen from above: where the left hand is of one who looks that way."""
    x, y = facing
    return -y, x


class World:
    """Seats as points, and one way to sit: who is where and looks where."""

    def __init__(self, points, rows, closed):
        self.points, self.rows, self.closed = points, rows, closed

    def walk(self, seat, facing, side, count):
        """The seat ``count`` to that side, or None beyond an end."""
        row = next(row for row in self.rows if seat in row)
        x, y = left_of(facing)
        if side == "right":
            x, y = -x, -y
        place, last = row.index(seat), len(row)
        step = None
        for d in (1, -1):
            if self.closed or 0 <= place + d < last:
                other = self.points[row[(place + d) % last]]
                if (other[0] - self.points[seat][0]) * x + (other[1] - self.points[seat][1]) * y > 1e-9:
                    step = d
        if step is None:
            return None
        goal = place + step * count
        if self.closed:
            return row[goal % last]
        return row[goal] if 0 <= goal < last else None

    def beside(self, seat):
        row = next(row for row in self.rows if seat in row)
        place, last = row.index(seat), len(row)
        if self.closed:
            return {row[place - 1], row[(place + 1) % last]}
        return {row[p] for p in (place - 1, place + 1) if 0 <= p < last}

    def across(self, seat):
        if self.closed:
            n = len(self.points)
            return (seat + n // 2) % n if n % 2 == 0 else None
        return next(
            (s for s in range(len(self.points)) if s != seat and self.points[s][0] == self.points[seat][0]), None
        )


def split_names(text: str) -> list[str]:
    return re.findall(NAME, text)


def read(question: str):
    """The seatings (name -> seat, facing) in which every clue holds, clue by clue, and the closing question.

    Returns (world, all seatings, clue tests, question sentence)."""
    sentences = [s.strip() for s in re.findall(r"[^.?]+[.?]", question)]
    opening = sentences.pop(0)
    north, south = (0.0, 1.0), (0.0, -1.0)
    if re.search(r"sit in a row facing south\.", opening) and "second row" in sentences[0]:
        first, second = split_names(opening.split(" sit ")[0]), split_names(sentences.pop(0).split(" sit ")[0])
        m = len(first)
        points = [(x, 1.0) for x in range(m)] + [(x, 0.0) for x in range(m)]
        world = World(points, [list(range(m)), list(range(m, 2 * m))], False)
        seatings = [
            {
                **{n: (s, south) for n, s in zip(first, a, strict=False)},
                **{n: (m + s, north) for n, s in zip(second, b, strict=False)},
            }
            for a in permutations(range(m))
            for b in permutations(range(m))
        ]
        return world, seatings, sentences[:-1], sentences[-1]
    if " row" in opening:
        names = split_names(re.sub(r"^\w+ friends, ", "", opening).split(" sit ")[0])
        facing = north if "north" in opening else south
        n = len(names)
        world = World([(float(x), 0.0) for x in range(n)], [list(range(n))], False)
        seatings = [
            {name: (s, facing) for name, s in zip(names, order, strict=False)} for order in permutations(range(n))
        ]
        return world, seatings, sentences[:-1], sentences[-1]
    names = split_names(opening.split(" sit ")[0])
    n = len(names)
    points = [(math.sin(2 * math.pi * i / n), math.cos(2 * math.pi * i / n)) for i in range(n)]
    world = World(points, [list(range(n))], True)

    def look(seat, outward):
        x, y = points[seat]
        return (x, y) if outward else (-x, -y)

    if "facing" in opening:
        outs = [dict.fromkeys(names, "outward" in opening)]
    elif sentences[0] == "Each faces the centre or outward.":
        sentences.pop(0)
        outs = [dict(zip(names, pattern, strict=False)) for pattern in product((False, True), repeat=n)]
    else:
        told = re.fullmatch(r"(.+) faces? outward, the others the centre\.", sentences.pop(0))
        outs = [{name: name in split_names(told[1]) for name in names}]
    seatings = [
        {name: (s, look(s, out[name])) for name, s in zip(names, (0, *rest), strict=False)}
        for rest in permutations(range(1, n))
        for out in outs
    ]
    return world, seatings, sentences[:-1], sentences[-1]


def outward(world, seating, name):
    seat, facing = seating[name]
    return facing[0] * world.points[seat][0] + facing[1] * world.points[seat][1] > 0


def count_of(word):
    return 1 if word == "immediately" else ORDINALS[word]


def clue_test(sentence: str, world: World):
    """A clue, a statement of a choice: a function of a seating."""
    text = sentence.rstrip(".")
    text = text[0].upper() + text[1:]

    def at(s, name):
        return s[name][0]

    def hop(s, b, how, side, a):
        return world.walk(*s[b], side, count_of(how)) == at(s, a)

    def far_side(s, a, side, b):
        return any(world.walk(*s[b], side, k) == at(s, a) for k in range(1, len(s)))

    def both_beside(s, a, b, c):
        return {at(s, b), at(s, c)} <= world.beside(at(s, a))

    patterns = [
        (rf"{NAME} (?:sits|is) {PLACE} of {NAME}", lambda s, a, how, side, b: hop(s, b, how, side, a)),
        (rf"The person {PLACE} of {NAME} is {NAME}", lambda s, how, side, b, a: hop(s, b, how, side, a)),
        (rf"{NAME} sits somewhere to the (left|right) of {NAME}", far_side),
        (rf"{NAME} is to the (left|right) of {NAME}, not necessarily next to {NAME}",
         lambda s, a, side, b, _: far_side(s, a, side, b)),
        (rf"{NAME} sits next to {NAME}", lambda s, a, b: at(s, a) in world.beside(at(s, b))),
        (rf"{NAME} and {NAME} are neighbours", lambda s, a, b: at(s, a) in world.beside(at(s, b))),
        (rf"{NAME} is a neighbour of {NAME}", lambda s, a, b: at(s, a) in world.beside(at(s, b))),
        (rf"{NAME} does not sit next to {NAME}", lambda s, a, b: at(s, a) not in world.beside(at(s, b))),
        (rf"{NAME} and {NAME} are not neighbours", lambda s, a, b: at(s, a) not in world.beside(at(s, b))),
        (rf"Exactly (\w+) (?:person|people) sits? between {NAME} and {NAME}",
         lambda s, k, a, b: same_row(world, at(s, a), at(s, b)) and abs(at(s, a) - at(s, b)) == NUMBERS[k] + 1),
        (rf"{NAME} sits between {NAME} and {NAME}, next to both", lambda s, a, b, c: both_beside(s, a, b, c)),
        (rf"{NAME} and {NAME} are both neighbours of {NAME}", lambda s, b, c, a: both_beside(s, a, b, c)),
        (rf"{NAME} (?:sits at one of the ends|is at an end of the row)", lambda s, a: len(world.beside(at(s, a))) == 1),
        (rf"{NAME} (?:does not sit at an end|is not at either end)", lambda s, a: len(world.beside(at(s, a))) == 2),
        (rf"{NAME} (?:sits exactly in the middle|has the middle seat)", lambda s, a: at(s, a) * 2 == len(s) - 1),
        (rf"{NAME} (?:is|sits) (\w+) from the (left|right) end",
         lambda s, a, nth, end: (at(s, a) if end == "left" else len(s) - 1 - at(s, a)) == ORDINALS[nth] - 1),
        (rf"{NAME} sits opposite {NAME}", lambda s, a, b: world.across(at(s, a)) == at(s, b)),
        (rf"{NAME} and {NAME} sit opposite each other", lambda s, a, b: world.across(at(s, a)) == at(s, b)),
        (rf"{NAME} sits opposite the person {PLACE} of {NAME}",
         lambda s, a, how, side, b: world.walk(*s[b], side, count_of(how)) is not None
         and world.across(at(s, a)) == world.walk(*s[b], side, count_of(how))),
        (rf"{NAME} faces (outward|the centre)", lambda s, a, way: outward(world, s, a) == (way == "outward")),
        (rf"{NAME} and {NAME} face the same direction", lambda s, a, b: outward(world, s, a) == outward(world, s, b)),
        (rf"{NAME} and {NAME} face different directions", lambda s, a, b: outward(world, s, a) != outward(world, s, b)),
        (r"Exactly (\w+) of them faces? outward", lambda s, k: sum(outward(world, s, n) for n in s) == NUMBERS[k]),
        (rf"Both neighbours of {NAME} face (outward|the centre)",
         lambda s, a, way: all(
             outward(world, s, n) == (way == "outward") for n in s if at(s, n) in world.beside(at(s, a))
         )),
    ]  # fmt: skip
    for pattern, holds in patterns:
        match = re.fullmatch(pattern, text)
        if match:
            return lambda s, holds=holds, match=match: holds(s, *match.groups())
    raise AssertionError(f"cannot read {sentence!r}")


def same_row(world, a, b):
    return any(a in row and b in row for row in world.rows)


def answer_of(question: str, choice: str, world: World):
    """Whether ``choice`` answers the question: a function of a seating; and the question's criterion."""
    text = question.rstrip("?")
    if text in ("Which of these must be true", "Which statement is certainly true"):
        return "must", clue_test(choice, world)
    if text in ("Which of these cannot be true", "Which statement is certainly false"):
        return "cannot", clue_test(choice, world)

    def who_at(s, seat):
        return next((n for n in s if s[n][0] == seat), None)

    def resolve(s, phrase):
        """The seat that "the person second to the left of A" means."""
        match = re.fullmatch(rf"(?:the person )?(?:{PLACE} of|opposite) (.+)", phrase)
        if not match:
            return s[phrase][0]
        base = resolve(s, match[3])
        if base is None:
            return None
        if match[1] is None:
            return world.across(base)
        return world.walk(*s[who_at(s, base)], match[2], count_of(match[1]))

    swap = re.fullmatch(rf"If {NAME} and {NAME} (?:exchange seats|swap places), who sits (.+)", text)
    if swap:

        def after(s):
            s = dict(s)
            # Each looks where one on that seat looks: the seats of one row, or of a circle, face alike.
            s[swap[1]], s[swap[2]] = s[swap[2]], s[swap[1]]
            return resolve(s, swap[3]) == s[choice][0]

        return "is", after
    who = re.fullmatch(r"Who (?:sits|is) ((?:immediately|second|third|fourth|opposite).+)", text)
    if who:
        return "is", lambda s: resolve(s, who[1]) == s[choice][0]
    place = re.fullmatch(rf"Where does {NAME} sit with respect to {NAME}", text) or re.fullmatch(
        rf"What is the position of {NAME} relative to {NAME}", text
    )
    if place:
        return "is", lambda s: resolve(s, f"{choice[0].lower()}{choice[1:]} of {place[2]}") == s[place[1]][0]
    gap = re.fullmatch(rf"How many people sit between {NAME} and {NAME}", text)
    if gap:
        return "is", lambda s: abs(s[gap[1]][0] - s[gap[2]][0]) - 1 == NUMBERS[choice.lower()]
    pair = split_names(choice)
    around = re.fullmatch(rf"Who are the neighbours of {NAME}", text)
    if around:
        return "is", lambda s: {s[n][0] for n in pair} == world.beside(s[around[1]][0])
    return "is", {
        "Who sit at the two ends": lambda s: all(len(world.beside(s[n][0])) == 1 for n in pair),
        "Who sits exactly in the middle": lambda s: s[choice][0] * 2 == len(s) - 1,
        "Who faces outward": lambda s: outward(world, s, choice),
    }[text]


def solve(question, choices, drop=None):
    """Places of the right choices, from the text alone; with one clue left out if ``drop`` names its place."""
    world, cases, clues, asked = read(question)
    for place, clue in enumerate(clues):
        if place != drop:
            holds = clue_test(clue, world)
            cases = [case for case in cases if holds(case)]
    tests = [answer_of(asked, choice, world) for choice in choices]
    return decided(tests[0][0], [[holds(case) for case in cases] for _, holds in tests]), len(clues)
