"""The proposer that needs no model: puzzles whose key is proved before they are a text."""

from __future__ import annotations

import asyncio
import logging
import random
from concurrent.futures import BrokenExecutor, Executor
from typing import Any, Protocol, cast

from agents.asking.gates.proof import ProofGate
from agents.asking.proposal import Draft, DraftSource, Proposer
from agents.core.errors import InputError, describe
from agents.core.schema import Question
from agents.core.topics import Topic, unknown_topic
from puzzles import LEVELS, DifficultyError, Puzzle, generate
from puzzles.generator import Difficulty, family_named
from puzzles.puzzle import CHOICES

logger = logging.getLogger(__name__)


class Solver(Proposer, Protocol):
    """A proposer that measures what it writes, and so meets a difficulty by number too."""

    async def propose(self, topic: Topic, level: str | float, seed: int) -> Draft: ...


class SolverProposer:
    """Implements ``Solver`` over ``puzzles.generate``.

    ``executor`` runs the generation, which is pure Python and holds the interpreter's lock: a pool of one niced process
    leaves that of an answering process free. Without one a thread does it; so it does once the pool has broken.
    """

    name = "solver"

    def __init__(self, executor: Executor | None = None) -> None:
        self._executor = executor

    def covers(self, topic: Topic) -> bool:
        return bool(topic.families)

    async def propose(self, topic: Topic, level: str | float, seed: int) -> Draft:
        """A puzzle of one of the topic's families, its choices in an order that the seed draws.

        ``level`` is a level, or a difficulty by number. Raises InputError for a topic that no family covers and for a
        difficulty that none of its families reaches.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, write_draft, topic, level, seed)
        except BrokenExecutor as error:
            if self._executor is None:
                raise
            logger.warning("the process that makes puzzles is gone (%s); they are made in this one from now on", error)
            self._executor = None
            return await loop.run_in_executor(None, write_draft, topic, level, seed)


def solver_source(executor: Executor | None = None) -> DraftSource[Solver]:
    """Proved puzzles, made and proved again by ``executor``, a thread when None."""
    return DraftSource(SolverProposer(executor), [ProofGate(executor)])


def read_difficulty(topic: Topic, given: Any) -> str | float:
    """A level, or a number that some family of ``topic`` reaches. Raises InputError that says what can be asked."""
    reaches = [family_named(family).reach for family in topic.families]
    low, high = min((low for low, _ in reaches), default=0.0), max((high for _, high in reaches), default=0.0)
    if isinstance(given, str) and given in LEVELS:
        return given
    number = isinstance(given, (int, float)) and not isinstance(given, bool)
    if number and any(bottom <= given <= top for bottom, top in reaches):
        return float(given)
    numbers = f", or a number from {low:g} to {high:g}" if reaches else ""
    raise InputError("difficulty", describe(given), f"{', '.join(LEVELS)}{numbers}")


def write_draft(topic: Topic, level: str | float, seed: int) -> Draft:
    """What ``SolverProposer.propose`` gives; a function of its arguments alone, to be called in any process."""
    families = topic.families
    if not families:
        raise unknown_topic(topic.name, [])
    read_difficulty(topic, level)
    if not isinstance(level, str):
        families = tuple(f for f in families if family_named(f).reach[0] <= level <= family_named(f).reach[1])
    draw = random.Random(f"{topic.name}/{level}/{seed}")  # noqa: S311 - seeded chance is the point
    try:
        puzzle = generate(draw.choice(families), cast(Difficulty, level), seed)
    except DifficultyError as error:
        raise InputError("difficulty", f"{level}, which no draw reached ({error})", "another level or number") from None
    question = puzzle_question(puzzle, topic.name).permuted(draw.sample(range(CHOICES), CHOICES))
    return Draft(
        row=question.canonical(puzzle.explanation),
        topic=topic.name,
        proposer=SolverProposer.name,
        level=puzzle.level,
        difficulty=puzzle.difficulty,
        fingerprint=puzzle.fingerprint,
        proof=puzzle.to_json(),
    )


def puzzle_question(puzzle: Puzzle, topic: str) -> Question:
    """The puzzle as a question on ``topic``, its choices in the puzzle's own order."""
    return Question(puzzle.question, puzzle.choices, topic, puzzle.key)
