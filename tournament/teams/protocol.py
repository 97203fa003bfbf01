"""A team, and what passes between it and the referee. Calls block; only the referee's clock counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

Row = dict[str, Any]
PATIENCE_S = 2.0
"""The referee waits this long past a limit, so that a report can say by how much a team was late."""


class FrozenModel(BaseModel):
    """A record that refuses unknown fields and changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TeamEntry(FrozenModel):
    """A team as its match began: what to call it, what kind of thing it is, and where it is."""

    name: str
    kind: str
    where: str


class Fault(FrozenModel):
    """Why there is no row: a kind of few different values, and a sentence."""

    kind: Literal["silent", "connection", "status", "not JSON", "too large", "crashed", "killed", "missing"]
    detail: str


NO_ROW = Fault(kind="missing", detail="the output file has no row for it")


class TeamFaultError(Exception):
    """A team that did not deliver. Never the referee's fault, and never the other team's loss."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault.detail)


@dataclass(frozen=True)
class QuestionSpec:
    """One request for a question."""

    topic: str
    """As the organisers' topics.json names it."""
    difficulty: str | None
    """easy, medium or hard; None leaves it to the team."""
    seed: int
    """For a team that draws its questions; any other may leave it unread."""


class Team(Protocol):
    """Any team."""

    @property
    def entry(self) -> TeamEntry: ...

    def close(self) -> None: ...


@runtime_checkable
class ItemTeam(Team, Protocol):
    """A team that is asked for one thing at a time."""

    def ask(self, request: QuestionSpec, timeout_s: float) -> Any:
        """A question as the team wrote it, any JSON value. Raises TeamFaultError, at the latest after ``timeout_s``."""
        ...

    def answer(self, question: Row, timeout_s: float) -> Any:
        """An answer as the team wrote it, to a question without its key. Raises as ``ask`` does."""
        ...

    def proof(self, row: Row) -> Any:
        """What the team offers as a proof of a question's key, any JSON value; None where it has none. Never raises."""
        ...


@dataclass(frozen=True)
class Batch:
    """The rows that one run of a folder's command line wrote, in order; too few where some are missing."""

    rows: Sequence[Any]
    fault: Fault | None = None
    """Why rows are missing, where the run says why."""
    exit_code: int | None = None
    output_bytes: int = 0
    output_tail: str = ""
    notes: Sequence[str] = field(default_factory=list)
    surplus: int = 0
    """Rows beyond those that were wanted; they are not among ``rows``."""

    def row(self, place: int) -> tuple[Any, Fault | None]:
        """The row at ``place``, or why there is none."""
        if place < len(self.rows):
            return self.rows[place], None
        return None, self.fault or NO_ROW


@runtime_checkable
class BatchTeam(Team, Protocol):
    """A team that is asked for everything at once, as the organisers run a submission."""

    def ask_all(self, number: int, limit_s: float) -> Batch:
        """``number`` questions, all within ``limit_s``; what is not done by then is stopped. Never raises."""
        ...

    def answer_all(self, questions: Sequence[Row], limit_s: float) -> Batch:
        """An answer each to questions without their keys. As ``ask_all``."""
        ...


AnyTeam = ItemTeam | BatchTeam
