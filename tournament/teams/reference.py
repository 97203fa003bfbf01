"""Opponents made here, to be measured against: always A, a letter by chance, and ensembles of models."""

from __future__ import annotations

import asyncio
import random
from typing import Any, Protocol

from agents.answering.answerer import Answerer
from agents.core.deadline import DeadlinePolicy
from agents.core.errors import QuestionError
from agents.core.schema import LETTERS, read_question
from tournament.teams.protocol import PATIENCE_S, Fault, QuestionSpec, Row, TeamEntry, TeamFaultError


class QuestionSource(Protocol):
    """Where an opponent made here has its questions from."""

    def question(self, request: QuestionSpec) -> Any:
        """A row for a request, the same one for the same seed."""
        ...

    def proof(self, row: Row) -> Any:
        """The proof of a row's key, any JSON value; None where there is none."""
        ...


class _ReferenceTeam:
    """What all of them share: the questions of a source, and nothing to close."""

    def __init__(self, name: str, kind: str, source: QuestionSource, where: str = "made here") -> None:
        self.entry = TeamEntry(name=name, kind=kind, where=where)
        self._source = source

    def ask(self, request: QuestionSpec, timeout_s: float) -> Any:
        return self._source.question(request)

    def proof(self, row: Row) -> Any:
        return self._source.proof(row)

    def close(self) -> None:
        return


class AlwaysFirst(_ReferenceTeam):
    """Says A, as collapsed models do."""

    def __init__(self, source: QuestionSource, name: str = "always-a") -> None:
        super().__init__(name, "always-a", source)

    def answer(self, question: Row, timeout_s: float) -> Any:
        return {"answer": "A", "reasoning": "It is always A."}


class RandomLetter(_ReferenceTeam):
    """Says a letter by chance: chance level, with its noise. The same letter for the same seed and question."""

    def __init__(
        self,
        source: QuestionSource,
        seed: int = 0,
        name: str = "random",
        kind: str = "random",
        where: str = "made here",
    ) -> None:
        super().__init__(name, kind, source, where)
        self._seed = seed

    def answer(self, question: Row, timeout_s: float) -> Any:
        # By the question and not by a running stream: a match that is resumed goes on as it would have.
        draw = random.Random(f"{self._seed}/{question['question']}")  # noqa: S311
        return {"answer": draw.choice(LETTERS[: len(question["choices"])]), "reasoning": "Drawn by chance."}


class ModelTeam(_ReferenceTeam):
    """An ensemble in this process, under the same limit as everybody, less the A-Agent's usual margin.

    Whoever opened the ensemble closes it, and ``runner`` is the one it was opened with.
    """

    def __init__(
        self,
        source: QuestionSource,
        answerer: Answerer,
        runner: asyncio.Runner,
        name: str,
        kind: str,
    ) -> None:
        super().__init__(name, kind, source)
        self._answerer, self._runner = answerer, runner

    def answer(self, question: Row, timeout_s: float) -> Any:
        try:
            read = read_question(question)
        except QuestionError as error:
            raise TeamFaultError(Fault(kind="status", detail=str(error))) from None
        deadline = DeadlinePolicy(timeout_s - PATIENCE_S).from_now()
        verdict = self._runner.run(self._answerer.answer(read, deadline))
        return {**verdict.answer.canonical(), "probabilities": verdict.probabilities}
