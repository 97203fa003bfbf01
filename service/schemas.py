"""What the service returns, as models for the OpenAPI document, and how a verdict becomes one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

from pydantic import BaseModel, Field

from agents.answering.answerer import AnswerResult, MemberReport
from agents.asking.pool.pool import ServedQuestion
from agents.asking.questioner import QuestionerStatus
from agents.core.schema import LETTERS, Question
from agents.ensemble.loading import LoadedEnsemble

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
    voted_ms: float | None = Field(
        description="Milliseconds from the request's arrival to its last vote; null without one."
    )


class DetailedAnswer(CanonicalAnswer):
    """The answer, and what it rests on."""

    probabilities: Distribution | None = Field(description="Pooled, by letter.")
    members: list[MemberVote]
    elapsed_ms: float = Field(description="Milliseconds from the request's arrival to this answer.")
    deadline_ms: float = Field(description="Milliseconds from the request's arrival by which this answer was due.")
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


class CanonicalQuestion(BaseModel):
    """The organisers' question format."""

    topic: str
    question: str
    choices: list[str] = Field(min_length=4, max_length=4, description='Each with its letter in front: "A) …".')
    answer: Letter = Field(description="The key.")
    explanation: str = Field(description="Why the key holds, in at most 100 words.")


class DetailedQuestion(CanonicalQuestion):
    """The question, and what is known of it."""

    id: str = Field(description="Its proof is at /question/{id}/proof.")
    level: Literal["easy", "medium", "hard"]
    difficulty: float | None = Field(description="Measured on the proof; null where nothing measured it.")
    hardness: float | None = Field(description="1 - the key's probability under a stand-in opponent; null if unknown.")
    proposer: Literal["solver", "model"]
    degraded: bool = Field(description="True when it is not the level asked for, or the pool's file is of no use.")
    elapsed_ms: float = Field(description="Milliseconds from the request's arrival to this question.")


class BatchQuestions(BaseModel):
    """Questions, no two alike."""

    questions: list[CanonicalQuestion]
    detail: str | None = Field(description="Why there are fewer than asked for; null when there are not.")


class TimedQuestion(BaseModel):
    """The question in the shape of another team's server."""

    question: str
    choices: dict[Letter, str]
    correct_answer: Letter
    generation_time: float = Field(description="Seconds from the request's arrival to this question.")


class PoolRow(BaseModel):
    """How many questions of a topic and level wait, and how many were served from this file."""

    topic: str
    level: str
    waiting: int
    served: int


class GateCount(BaseModel):
    """What one gate did with one proposer's drafts since the start."""

    proposer: str
    gate: str
    entered: int
    refused: int
    reasons: dict[str, int]


class Pool(BaseModel):
    """The Q-Agent's questions."""

    waiting: list[PoolRow]
    problem: str | None = Field(description="Why the pool's file is of no use now, so that a pool in memory serves.")
    served: dict[str, int] = Field(description="Since the start, by where they came from: pool, fresh or spare.")
    gates: list[GateCount]


class MatchEntry(BaseModel):
    """The event log of a match."""

    name: str = Field(description="Its events are at /matches/{name}/events.")
    edition: str
    home: str
    away: str
    bytes: int
    changed_at_s: float = Field(description="When something was last written to it, in Unix time.")
    ended: bool


class Matches(BaseModel):
    """The matches in AIAC_MATCHES, the latest first."""

    matches: list[MatchEntry]


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


def detailed_question(served: ServedQuestion, elapsed_s: float) -> dict[str, Any]:
    """The fields of DetailedQuestion; ``elapsed_s`` is the time since the request arrived."""
    fields = served.to_json() | {"elapsed_ms": round(elapsed_s * 1000, 3)}
    del fields["proof"]
    return fields


def pool(status: QuestionerStatus) -> dict[str, Any]:
    """The fields of Pool."""
    return {
        "waiting": [asdict(row) for row in status.pool],
        "problem": status.problem,
        "served": status.served,
        "gates": [asdict(row) for row in status.gates],
    }


def canonical(verdict: AnswerResult) -> dict[str, Any]:
    """The fields of CanonicalAnswer."""
    return dict(verdict.answer.canonical())


def detailed(
    verdict: AnswerResult, question: Question, ensemble: LoadedEnsemble, elapsed_s: float, deadline_s: float
) -> dict[str, Any]:
    """The fields of DetailedAnswer; ``elapsed_s`` and ``deadline_s`` count from the request's arrival."""
    begun_ms = elapsed_s * 1000 - verdict.elapsed_ms
    steps = {voter.member.name: voter.steps(question) for voter in ensemble.answerer.voters}
    return {
        **canonical(verdict),
        "probabilities": _by_letter(verdict.probabilities),
        "members": [_member(report, steps.get(report.name, 0), begun_ms) for report in verdict.members],
        "elapsed_ms": round(elapsed_s * 1000, 3),
        "deadline_ms": round(deadline_s * 1000, 3),
        "degraded": verdict.degraded,
    }


def _member(report: MemberReport, steps_total: int, begun_ms: float) -> dict[str, Any]:
    vote = report.vote
    return {
        "name": report.name,
        "probabilities": None if vote is None else _by_letter(vote.probabilities),
        "steps_done": 0 if vote is None else vote.steps_done,
        "steps_total": steps_total if vote is None else vote.steps_total,
        "error": report.error,
        "voted_ms": None if report.voted_ms is None else round(begun_ms + report.voted_ms, 3),
    }


def _by_letter(probabilities: Sequence[float]) -> dict[str, float]:
    return dict(zip(LETTERS, probabilities, strict=False))
