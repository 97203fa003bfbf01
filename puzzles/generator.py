"""The package's front: seeded puzzles of every family, and the check of one from its certificate."""

from __future__ import annotations

import random
import reprlib
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from puzzles.difficulty import Level, band, level_of
from puzzles.family import Family, Proof, from_json, to_json
from puzzles.puzzle import CHOICES, DifficultyError, ProofError, Puzzle, UnknownFamilyError
from puzzles.words import MAX_EXPLANATION_WORDS, fits

Difficulty = Level | float

MAX_DRAWS = 20_000
"""Structures drawn for one puzzle before the difficulty counts as out of reach. Most puzzles take fewer than ten."""

SEED_STRIDE = 1_000_003
"""Distance between the seeds of two streams: streams of fewer puzzles than this, with other seeds, share no draw."""

FAMILIES: tuple[str, ...] = (
    "syllogism",
    "linear_seating",
    "circular_seating",
    "blood_relation",
    "series",
    "truth_teller",
    "matching",
)
"""The families' names."""


def family_named(name: str) -> Family[Any]:
    """The family called ``name``. Raises UnknownFamilyError, which lists the known ones."""
    families = _families()
    if name not in families:
        raise UnknownFamilyError(f"family: found {name!r}; expected one of {', '.join(families)}")
    return families[name]


def generate(family: str, difficulty: Difficulty, seed: int) -> Puzzle:
    """The puzzle of ``family`` for ``seed``: the same one in every process.

    ``difficulty`` is a level or a number of the family's reach (met within ``difficulty.TARGET_WIDTH``). Raises
    UnknownFamilyError and DifficultyError.
    """
    maker = family_named(family)
    low, high = band(difficulty, maker.reach, family)
    rng = random.Random(f"{family}/{difficulty}/{seed}")
    for _ in range(MAX_DRAWS):
        structure = maker.draw(rng, low, high)
        if structure is None:
            continue
        proof = maker.prove(structure)
        if low <= round(proof.depth + proof.breadth, 2) < high:
            puzzle = _puzzle(maker, structure, proof)
            if _well_formed(puzzle):
                return puzzle
    raise DifficultyError(f"difficulty: found {difficulty!r}; expected one that {family} reaches in {MAX_DRAWS} draws")


def stream(family: str, difficulty: Difficulty, seed: int) -> Iterator[Puzzle]:
    """Puzzles without end, none of which has the fingerprint of an earlier one. Raises as ``generate`` does."""
    seen: set[str] = set()
    number = seed * SEED_STRIDE
    while True:
        puzzle = generate(family, difficulty, number)
        number += 1
        if puzzle.fingerprint not in seen:
            seen.add(puzzle.fingerprint)
            yield puzzle


def verify(puzzle: Puzzle) -> None:
    """Proves ``puzzle`` anew from the structure in its certificate.

    The text is compared first: a proof is only searched for as many clues as a question has room for.

    Raises ProofError unless the key is right and every other choice wrong, every clue is needed, the proof finds what
    the certificate says, and question, choices, explanation, difficulty and fingerprint are those of the structure.
    """
    maker = family_named(puzzle.family)
    if not isinstance(puzzle.certificate, dict):
        raise ProofError("certificate: found no object; expected one with a structure and its findings")
    structure = from_json(maker.structure, puzzle.certificate.get("structure"))
    try:
        text = maker.render(structure)
        _require_same("question", puzzle.question, text.question)
        _require_same("choices", puzzle.choices, text.choices)
        if not fits(*text):
            raise ProofError("question: found a text that is too long; expected one that every edition lets through")
        expected = _puzzle(maker, structure, maker.prove(structure))
    except ProofError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, AssertionError) as error:
        raise ProofError(f"certificate: found a structure that cannot be read ({error!r})") from error
    for name, value in expected.__dict__.items():
        _require_same(name, getattr(puzzle, name), value)
    if not _well_formed(puzzle):
        raise ProofError("puzzle: found a text that is too long, or choices that are not four distinct texts")


def proved_key(puzzle: Puzzle, question: str, choices: Sequence[str]) -> int | None:
    """Prove ``puzzle`` anew and return the place of its key in ``choices``, which may be in any order.

    None, before anything is proved, where the puzzle asks another question or offers other choices. Raises as
    ``verify`` does.
    """
    if question != puzzle.question or sorted(choices) != sorted(puzzle.choices):
        return None
    verify(puzzle)
    return choices.index(puzzle.choices[puzzle.key])


def _require_same(name: str, found: Any, expected: Any) -> None:
    if found != expected:
        shown = reprlib.repr(found)
        raise ProofError(f"{name}: found {shown}; expected {reprlib.repr(expected)}, as the structure says")


def _puzzle(maker: Family[Any], structure: Any, proof: Proof) -> Puzzle:
    question, choices = maker.render(structure)
    difficulty = round(proof.depth + proof.breadth, 2)
    return Puzzle(
        family=maker.name,
        topics=maker.topics,
        question=question,
        choices=choices,
        key=structure.key,
        explanation=maker.explain(structure, proof),
        difficulty=difficulty,
        level=level_of(difficulty),
        fingerprint=maker.fingerprint(structure),
        certificate={"structure": to_json(structure), "findings": proof.findings},
    )


def _well_formed(puzzle: Puzzle) -> bool:
    return (
        len({choice.casefold() for choice in puzzle.choices}) == CHOICES
        and len(puzzle.explanation.split()) <= MAX_EXPLANATION_WORDS
        and fits(puzzle.question, puzzle.choices)
    )


@cache
def _families() -> dict[str, Family[Any]]:
    from puzzles.blood_relation.family import BloodRelations
    from puzzles.matching.family import Matching
    from puzzles.seating.circular import CircularSeating
    from puzzles.seating.linear import LinearSeating
    from puzzles.series.family import Series
    from puzzles.syllogism.family import Syllogisms
    from puzzles.truth_teller.family import TruthTellers

    makers: tuple[Family[Any], ...] = (
        Syllogisms(),
        LinearSeating(),
        CircularSeating(),
        BloodRelations(),
        Series(),
        TruthTellers(),
        Matching(),
    )
    return {maker.name: maker for maker in makers}
