"""Proved puzzles as questions: what opponents made here ask, and what examinations and bundles draw from.

Puzzles come from outside: this package imports none, so a command hands their maker in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agents.core.edition import Edition
from agents.core.rules import CountTokens, broken_question_rule
from agents.core.schema import Question
from tournament.teams.protocol import QuestionSpec, Row

LEVELS = ("easy", "medium", "hard")
_ID = re.compile(rf"(?P<family>\w+)\.(?P<level>{'|'.join(LEVELS)})\.(?P<seed>[0-9]{{1,18}})")
MAX_DRAWS = 10
"""Puzzles drawn at most for each question that is wanted: a few do not fit an edition's token limit."""


class ProvedPuzzle(Protocol):
    """A question whose key is proved."""

    @property
    def question(self) -> str: ...

    @property
    def choices(self) -> tuple[str, ...]: ...

    @property
    def key(self) -> int: ...

    @property
    def explanation(self) -> str: ...

    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class PuzzleMaker:
    """Makes puzzles: the same one for the same family, level and seed."""

    topics: Mapping[str, Sequence[str]]
    """Topics by family."""
    generate: Callable[[str, Any, int], ProvedPuzzle]
    """(family, level, seed) -> puzzle."""


class PuzzleSource:
    """Questions with proofs: puzzles of the families that belong to the topic, of every family where none does."""

    def __init__(self, maker: PuzzleMaker) -> None:
        self._maker = maker

    def question(self, request: QuestionSpec) -> Any:
        level = request.difficulty or LEVELS[request.seed % len(LEVELS)]
        every = list(self._maker.topics)
        families = [name for name in every if request.topic in self._maker.topics[name]] or every
        family = families[request.seed % len(families)]
        puzzle = self._maker.generate(family, level, request.seed)
        question = Question(puzzle.question, puzzle.choices, request.topic, puzzle.key)
        # The id says how to make it again: a match that is resumed in another process must find the proof.
        return {**question.canonical(puzzle.explanation), "id": f"{family}.{level}.{request.seed}"}

    def proof(self, row: Row) -> Any:
        # A log may have been written to by someone else.
        named = _ID.fullmatch(str(row.get("id")))
        if named is None or (family := named["family"]) not in self._maker.topics:
            return None
        level, seed = named["level"], named["seed"]
        return self._maker.generate(family, level, int(seed)).to_json()

    def fitting(self, requests: Iterator[QuestionSpec], edition: Edition, count_tokens: CountTokens) -> Iterator[Row]:
        """Yield a question for each of ``requests`` whose question passes the edition's filter."""
        for request in requests:
            row = self.question(request)
            if broken_question_rule(row, count_tokens, edition) is None:
                yield row
