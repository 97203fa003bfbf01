"""Proposers and gates behind their protocols, and proposals to send through."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from agents.asking.draft_sources import DraftSources
from agents.asking.gates.pipeline import parse_draft
from agents.asking.pool.filling import FillingOptions
from agents.asking.proposal import Draft, Gate, Proposal, RejectedError
from agents.asking.solver_proposer import write_draft
from agents.core.schema import Question
from agents.core.topics import Topic
from agents.support.priority import Priority, PriorityGate

SEATING = "Seating Arrangements (Linear, Circular)"
FAMILY_TREE = "Puzzles involving generations and family tree logic"
BEES = {
    "question": "Which of these is made by bees in their hives?",
    "choices": ["A) Honey", "B) Concrete", "C) Paper money", "D) Electricity"],
    "answer": "A",
    "explanation": "Bees collect nectar and make honey of it.",
}


def proved(seed: int, topic: str = SEATING, level: str = "easy") -> Proposal:
    """A solver's proposal."""
    return parse_draft(write_draft(Topic(topic), level, seed))


def animals(row: Any) -> Draft:
    """A model's draft."""
    return Draft(row, "Animals", "model", "hard")


def refusal(gate: Gate, proposal: Proposal) -> str | None:
    """The reason, or None when it is let through."""
    try:
        assert asyncio.run(gate.check(proposal)) == proposal
    except RejectedError as error:
        return error.reason
    return None


async def rejection(work: Awaitable[Any]) -> str:
    """The reason for which ``work`` is refused."""
    with pytest.raises(RejectedError) as caught:
        await work
    return caught.value.reason


def unproved(number: int, *, topic: str = "Trivia", level: str = "easy", hardness: float | None = None) -> Proposal:
    """As of a model: no structure known. Other numbers share hardly a run of words."""
    words = [f"word{number}x{place}" for place in range(12)]
    text = f"Which of these is the one that {' '.join(words)}?"
    question = Question(text, tuple(f"{kind} {number}" for kind in ("red", "green", "blue", "grey")), topic, 2)
    return Proposal(question, "It is blue because it says so.", "model", level, hardness=hardness)


@dataclass
class FakeProposer:
    """Writes what ``write`` gives for the number of the call; hangs when ``write`` is None. Counts its calls."""

    write: Callable[[int], Any] | None = None
    name: str = "model"
    topics: tuple[str, ...] | None = None
    calls: int = 0
    cancelled: int = 0
    entered: asyncio.Event = field(default_factory=asyncio.Event)

    def covers(self, topic: Topic) -> bool:
        return self.topics is None or topic.name in self.topics

    async def propose(self, topic: Topic, level: Any, seed: int) -> Draft:
        self.calls += 1
        self.entered.set()
        if self.write is None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        assert self.write is not None
        row = self.write(self.calls)
        return row if isinstance(row, Draft) else Draft(row, topic.name, self.name, str(level))


def parts_of_questioner(parts: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a questioner from loose parts: its sources, its filling options, and the rest as they are."""
    sources = {name: parts[name] for name in ("solver", "writers", "model") if name in parts}
    filling = {name: parts[name] for name in ("hardness", "surplus") if name in parts}
    rest = {name: part for name, part in parts.items() if name not in sources | filling}
    return {"sources": DraftSources(**sources), "filling": FillingOptions(**filling), **rest}


@dataclass
class FakeGate:
    """Lets through what ``judge`` returns, refuses what it raises."""

    name: str = "agreement"
    judge: Callable[[Proposal], Proposal] = lambda proposal: proposal
    seen: int = 0

    async def check(self, proposal: Proposal) -> Proposal:
        self.seen += 1
        return self.judge(proposal)


class WatchedPriorities(PriorityGate):
    """Calls ``before`` when work asks for its turn, and gives it the turn once that has ended."""

    def __init__(self, before: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self._before = before

    async def turn(self, priority: Priority) -> None:
        assert priority is Priority.QUESTION
        await self._before()


def refuse(reason: str) -> Callable[[Proposal], Proposal]:
    def judge(proposal: Proposal) -> Proposal:
        raise RejectedError(reason)

    return judge
