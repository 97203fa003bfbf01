"""A blood relation puzzle's structure, and what every such structure must satisfy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from puzzles.blood_relation.chains import Ending, Facts, Step, endings
from puzzles.blood_relation.kinship import Kin, holds
from puzzles.puzzle import ProofError

Fact = tuple[str, int, int]


@dataclass(frozen=True)
class BloodRelationPuzzle:
    """A blood relation puzzle's structure. People are numbers."""

    style: str
    names: tuple[str, ...]
    """Nobody for ``pointing``."""
    facts: tuple[Fact, ...]
    """``father a b``: a is the father of b. None for ``which``, where the choices hold them, and for ``pointing``."""
    codes: tuple[tuple[str, str], ...]
    """Link and symbol."""
    speaker: str
    """The speaker's gender, for ``pointing``."""
    steps: tuple[Step, ...]
    question: tuple[Any, ...]
    """``how a b``, ``who b word``, ``which a b word``; for ``pointing`` ``how 1 0``, or ``how 0 1`` when asked back."""
    choices: tuple[Any, ...]
    key: int
    wording: int


def told_families(speaker: str, steps: tuple[Step, ...], question: tuple[Any, ...]) -> list[Ending]:
    """The families that fit a chain, the speaker (0) not pointing to themselves; the end is made person 1."""
    found = [ending for ending in endings(speaker, steps) if ending.end != 0]
    return [Ending(_with_end_as_1(e.kin, e.end), 1, e.only) for e in found]


def _with_end_as_1(kin: Kin, end: int) -> Kin:
    order = list(range(len(kin.gender)))
    order[1], order[end] = order[end], order[1]
    other = kin.copy()
    other.gender = [kin.gender[p] for p in order]
    other.origin = [kin.origin[p] for p in order]
    other.marriage = [kin.marriage[p] for p in order]
    return other


def require_every_only(structure: BloodRelationPuzzle) -> None:
    """Raises ProofError where an "only" could be left out."""
    _, a, b = structure.question
    key = structure.choices[structure.key]
    for place, (link, only) in enumerate(structure.steps):
        if only:
            steps = (*structure.steps[:place], (link, False), *structure.steps[place + 1 :])
            told = told_families(structure.speaker, steps, structure.question)
            if told and all(holds(ending.kin, key, a, b) for ending in told):
                raise ProofError(f"step {place + 1}: found an 'only' that is not needed; expected every one to be")


def require_every_fact(structure: BloodRelationPuzzle) -> None:
    """Raises ProofError where a fact settles no choice: nobody to choose from is beyond it, seen from the person asked
    about."""
    b = structure.question[1]
    for place in range(len(structure.facts)):
        rest = structure.facts[:place] + structure.facts[place + 1 :]
        if all(distance(rest, b, p) for p in structure.choices):
            raise ProofError(f"fact {place + 1}: found one that is not needed; expected every fact to be")


def distance(facts: Facts, start: int, goal: int) -> int:
    """Facts on the way between two people; 0 where there is none."""
    reached, steps = {start}, 0
    while goal not in reached:
        more = {p for _, a, b in facts for p in (a, b) if (a in reached) or (b in reached)}
        if more <= reached:
            return 0
        reached |= more
        steps += 1
    return steps
