"""What linear and circular seating share: drawing clues and choices for a question, the proof, the text."""

from __future__ import annotations

import random
from collections.abc import Iterable

from puzzles.clue_puzzles import draw_clues, prove_by_models, weighted_order
from puzzles.family import Proof, Text
from puzzles.fingerprint import fingerprint
from puzzles.seating.frame import FACTS, PEOPLE, Clue, SeatingFrame, seating_frame
from puzzles.seating.questions import (
    STATEMENTS,
    SeatingChoice,
    SeatingQuestion,
    criterion,
    describe_seating,
    holds,
    question_depth,
)
from puzzles.seating.questions import values as offered_values
from puzzles.seating.structure import SeatingPuzzle
from puzzles.seating.text import ask, choice, say, setting
from puzzles.words import listed, sentence

MAX_CLUES = 7
"""More do not fit a question's token limit."""


class SeatingFamily:
    """The common part of the two families. A subclass says which frames, clues and questions there are."""

    name: str
    topics = ("Seating Arrangements (Linear, Circular)",)
    reach = (4.0, 14.0)
    structure = SeatingPuzzle

    def frame(self, rng: random.Random, low: float) -> SeatingFrame:
        """A frame fit for a difficulty from ``low`` on."""
        raise NotImplementedError

    def candidates(self, frame: SeatingFrame, rng: random.Random) -> Iterable[tuple[Clue, float]]:
        """Statements of every kind about every person, true or not, each with its weight as a clue."""
        raise NotImplementedError

    def question(self, frame: SeatingFrame, rng: random.Random) -> SeatingQuestion:
        """A question about the frame."""
        raise NotImplementedError

    def names(self, frame: SeatingFrame, rng: random.Random) -> tuple[str, ...]:
        """The people's names."""
        raise NotImplementedError

    def draw(self, rng: random.Random, low: float, high: float) -> SeatingPuzzle | None:
        frame = self.frame(rng, low)
        question = self.question(frame, rng)
        solution = 1 << rng.randrange(len(frame.space))
        statements = [(clue, frame.mask(clue), weight) for clue, weight in self.candidates(frame, rng)]
        candidates = weighted_order(rng, (item for item in statements if item[1] & solution))
        offered: dict[SeatingChoice, int]
        if question[0] in STATEMENTS:
            wanted = question[0] == "must"
            offered = {clue: mask for clue, mask, _ in statements if 0 < mask < frame.space.everything}
        else:
            wanted = True
            offered = offered_values(frame, question)
        keys = [value for value, mask in offered.items() if bool(mask & solution) == wanted]
        if not keys:
            return None
        rule = criterion(question)
        drawn = draw_clues(rng, candidates, offered, rng.choice(keys), rule, frame.space.everything, MAX_CLUES)
        if drawn is None:
            return None
        return SeatingPuzzle(
            shape=frame.shape,
            turns=frame.turns,
            names=self.names(frame, rng),
            clues=drawn.clues,
            question=question,
            choices=drawn.choices,
            key=drawn.key,
            wording=rng.randrange(1 << 30),
        )

    def prove(self, structure: SeatingPuzzle) -> Proof:
        """A step is an elementary fact of a clue, or a person the question goes through; an alternative a seating."""
        frame = seating_frame(structure.shape, structure.turns)
        masks = [frame.mask(clue) for clue in structure.clues]
        choices = [holds(frame, structure.question, value) for value in structure.choices]
        depth = sum(FACTS.get(str(clue[0]), 1) for clue in structure.clues) + question_depth(structure.question)
        return prove_by_models(frame.space, masks, choices, structure.key, criterion(structure.question), depth)

    def render(self, structure: SeatingPuzzle) -> Text:
        rng = random.Random(structure.wording)
        clues = [sentence(say(clue, structure.names, rng)) for clue in structure.clues]
        opening = setting(structure.shape, structure.turns, structure.names, rng)
        question = " ".join([opening, *clues, ask(structure.question, structure.names, rng)])
        return Text(question, tuple(choice(structure.question, value, structure.names) for value in structure.choices))

    def explain(self, structure: SeatingPuzzle, proof: Proof) -> str:
        frame = seating_frame(structure.shape, structure.turns)
        found = proof.findings
        answer = choice(structure.question, structure.choices[structure.key], structure.names).rstrip(".")
        counts = [f"{count:,}" for count in found["narrowing"]]
        steps = f"Of {counts[0]} seatings the clues, the sharpest first, leave {listed(counts[1:])}"
        seat = describe_seating(frame, tuple(found["witness"]), structure.names)
        only = f": {seat}." if found["models"] == 1 else f", for example {seat}."
        where = "So" if found["models"] == 1 else f"In each of the {found['models']}"
        if structure.question[0] == "cannot":
            return f"{steps}{only} '{answer}' holds in none of them; each other statement holds in at least one."
        if structure.question[0] == "must":
            return f"{steps}{only} '{answer}' holds in every one; each other statement fails in at least one."
        return f"{steps}{only} {where} the answer is: {answer}. {self._swapped(structure)}".strip()

    def fingerprint(self, structure: SeatingPuzzle) -> str:
        uniform = structure.shape != "circle" or (len(set(structure.turns)) == 1 and 0 not in structure.turns)
        statements = [s for clue in structure.clues for s in _statements("clue", clue, uniform)]
        statements.append((f"{structure.shape} {len(structure.turns)} {uniform} {0 in structure.turns}", ()))
        if not uniform or structure.shape == "rows":
            statements += [(f"turn {turn}", (person,)) for person, turn in enumerate(structure.turns)]
        kind, *arguments = structure.question
        if kind == "swap":
            x, y, b, side, places = arguments
            statements += [("swap", (x,)), ("swap", (y,)), (f"swap {side} {places}", (b,))]
        else:
            things = {"who": 1, "place": 2, "gap": 2, "neighbours": 1}.get(kind, 0)
            label = f"{'=' if kind == 'gap' else ''}{kind} {tuple(arguments[things:])}"
            statements.append((label, tuple(arguments[:things])))
        return fingerprint(statements)

    @staticmethod
    def _swapped(structure: SeatingPuzzle) -> str:
        if structure.question[0] != "swap":
            return ""
        x, y = structure.question[1:3]
        return f"({structure.names[x]} and {structure.names[y]} exchanged.)"


_SYMMETRIC = ("near", "far", "apart", "opp", "same", "differ")


def _statements(role: str, clue: Clue, uniform: bool) -> list[tuple[str, tuple[int, ...]]]:
    """A clue as ``fingerprint`` takes it. Where all face the same way, "a is left of b" is "b is right of a"."""
    kind, *arguments = clue
    number = PEOPLE.get(str(kind), 2)
    things, details = tuple(int(a) for a in arguments[:number]), arguments[number:]
    if kind == "between":
        return [(f"{role} between", (things[0], other)) for other in things[1:]]
    if uniform and kind in ("rel", "side") and details[0] == "left":
        things, details = things[::-1], ["right", *details[1:]]
    return [(f"{'=' if kind in _SYMMETRIC else ''}{role} {kind} {tuple(details)}", things)]
