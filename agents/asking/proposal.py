"""A question on its way from a proposer through the gates: what the Q-Agent's parts hand to each other.

A ``Draft`` is what a proposer wrote, unread. A ``Proposal`` is a draft that can be read as a question with a key; gates
let it through, possibly with more known about it, or raise ``RejectedError``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from agents.core.schema import Question
from agents.core.topics import Topic


@dataclass(frozen=True)
class Draft:
    """What a proposer wrote. ``row`` is the canonical question as an object, or JSON text that may be anything."""

    row: Mapping[str, Any] | str
    topic: str
    """The topic asked for, as the organisers name it."""
    proposer: str
    """``solver`` or ``model``."""
    level: str
    """easy, medium or hard: as measured by the solver, or as asked of the model."""
    difficulty: float | None = None
    """On the scale of ``puzzles.difficulty``; None where nothing measured it."""
    fingerprint: str | None = None
    """The same for questions of one structure, whatever their wording; None where the structure is not known."""
    proof: Mapping[str, Any] | None = None
    """JSON values that let a third party check the key: ``Puzzle.to_json()`` of a solver's question."""


@dataclass(frozen=True)
class Proposal:
    """A question with a key and a topic, and what is known of it so far."""

    question: Question
    explanation: str
    proposer: str
    level: str
    difficulty: float | None = None
    fingerprint: str | None = None
    proof: Mapping[str, Any] | None = None
    """Set by the solver, or by the key gate: how the ensemble voted under each order of the choices."""
    hardness: float | None = None
    """1 − the probability of the key under a stand-in opponent, 0 to 1; None where there was none to ask."""


class RejectedError(Exception):
    """A gate's refusal. ``reason`` is a short phrase of few different values, fit for counting."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Proposer(Protocol):
    """Writes drafts. Cancelling stops the work."""

    @property
    def name(self) -> str: ...

    def covers(self, topic: Topic) -> bool:
        """Whether it can write on this topic."""
        ...

    async def propose(self, topic: Topic, level: str, seed: int) -> Draft:
        """One draft; the same one for the same arguments. Raises EngineError when what writes it fails."""
        ...


class Gate(Protocol):
    """One check of a proposal. Cancelling stops the work."""

    @property
    def name(self) -> str: ...

    async def check(self, proposal: Proposal) -> Proposal:
        """The proposal, with what this gate found out. Raises RejectedError, or EngineError when it cannot tell."""
        ...


P_co = TypeVar("P_co", bound=Proposer, covariant=True)


@dataclass(frozen=True)
class DraftSource(Generic[P_co]):
    """A proposer and the gates that only its questions go through, the key gate first."""

    proposer: P_co
    gates: Sequence[Gate]
