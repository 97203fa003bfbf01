"""What the service returns, as models for the OpenAPI document, and how a verdict becomes one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field

from agents.answerer import MemberReport, Verdict
from agents.loading import LoadedEnsemble
from agents.schema import LETTERS, Question

Letter = Literal["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"]
Distribution = dict[Letter, float]


class CanonicalAnswer(BaseModel):
    """The organisers' answer format."""

    answer: Letter = Field(description="Exactly one upper-case letter.")
    reasoning: str = Field(description="What the ensemble saw, in at most 100 words.")


class MemberVote(BaseModel):
    """What one member of the ensemble had to say in time."""

    name: str
    probabilities: Distribution | None = Field(description="By letter; null when the member had no vote in time.")
    steps_done: int = Field(description="Engine calls that finished before the deadline.")
    steps_total: int = Field(description="Engine calls of a complete vote.")
    error: str | None = Field(description="Why there is no vote, or null.")


class DetailedAnswer(CanonicalAnswer):
    """The answer, and what it rests on."""

    probabilities: Distribution | None = Field(description="Pooled, by letter.")
    members: list[MemberVote]
    elapsed_ms: float = Field(description="Milliseconds from the request's arrival to this answer.")
    degraded: bool = Field(description="True when any member was left out or cut short, or read a cut question.")


class RowError(BaseModel):
    """A row of a batch that is not a question."""

    index: int = Field(description="Its place in the batch, from 0.")
    detail: str = Field(description="What is wrong with it.")


class BatchAnswers(BaseModel):
    """Answers in the order of the questions."""

    answers: list[DetailedAnswer | CanonicalAnswer | None] = Field(description="Null for a row listed in errors.")
    errors: list[RowError]


class TimedAnswer(BaseModel):
    """The answer in the shape of another team's server."""

    answer: Letter
    answer_time: float = Field(description="Seconds from the request's arrival to this answer.")


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"]


class MemberReadiness(BaseModel):
    """Whether a member of the ensemble serves."""

    name: str
    ready: bool
    difference_nats: float | None = Field(
        description="Largest deviation from the log-probabilities recorded at export; null without probes to compare."
    )
    reason: str | None = Field(description="Why it does not serve, or what could not be checked.")


class Readiness(BaseModel):
    """What answers now."""

    status: Literal["ready"]
    ensemble: str
    engine: str
    dtype: str
    members: list[MemberReadiness]
    detail: str | None = Field(description="Which members do not serve; null when all do.")


def canonical(verdict: Verdict) -> dict[str, Any]:
    """The fields of CanonicalAnswer."""
    return dict(verdict.answer.canonical())


def detailed(verdict: Verdict, question: Question, ensemble: LoadedEnsemble, elapsed_s: float) -> dict[str, Any]:
    """The fields of DetailedAnswer; ``elapsed_s`` is the time since the request arrived."""
    steps = {voter.member.name: voter.steps(question) for voter in ensemble.answerer.voters}
    return {
        **canonical(verdict),
        "probabilities": _by_letter(verdict.probabilities),
        "members": [_member(report, steps.get(report.name, 0)) for report in verdict.members],
        "elapsed_ms": round(elapsed_s * 1000, 3),
        "degraded": verdict.degraded,
    }


def _member(report: MemberReport, steps_total: int) -> dict[str, Any]:
    vote = report.vote
    return {
        "name": report.name,
        "probabilities": None if vote is None else _by_letter(vote.probabilities),
        "steps_done": 0 if vote is None else vote.steps_done,
        "steps_total": steps_total if vote is None else vote.steps_total,
        "error": report.error,
    }


def _by_letter(probabilities: Sequence[float]) -> dict[str, float]:
    return dict(zip(LETTERS, probabilities, strict=False))
