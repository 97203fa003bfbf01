"""The A-Agent: a question and a deadline in, a letter out. Never late, never malformed."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from agents.deadline import Deadline
from agents.ensemble import AnytimePool
from agents.errors import AiacError, EngineError
from agents.manifest import Manifest
from agents.schema import LETTERS, Answer, Question
from agents.voter import Vote, Voter

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MemberReport:
    """What one member had to say in time: its vote, or why there is none."""

    name: str
    vote: Vote | None
    error: str | None = None

    @property
    def complete(self) -> bool:
        return self.vote is not None and self.vote.complete


@dataclass(frozen=True)
class Verdict:
    """An answer, and what it rests on. ``degraded`` when any member was left out or cut short."""

    answer: Answer
    probabilities: list[float]
    members: list[MemberReport]
    elapsed_ms: float
    degraded: bool


@dataclass
class _Tally:
    pool: AnytimePool
    votes: dict[str, Vote] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


class Answerer:
    """Runs the members of an ensemble concurrently, pools what has arrived, and stops at the deadline."""

    def __init__(self, manifest: Manifest, voters: Sequence[Voter]) -> None:
        self._manifest = manifest
        self.set_voters(voters)

    def set_voters(self, voters: Sequence[Voter]) -> None:
        """Replaces who votes; an answer under way goes on with those it began with."""
        # Members of weight 0 are in a manifest to be measured; an answer does not wait for them.
        self._voters = [voter for voter in voters if voter.member.weight > 0]
        self._weights = {voter.member.name: voter.member.weight for voter in self._voters}

    @property
    def voters(self) -> Sequence[Voter]:
        return self._voters

    async def answer(self, question: Question, deadline: Deadline) -> Verdict:
        """The pool's best letter when every member has voted, or at the deadline, whichever comes first.

        With no vote at all the answer is the likeliest key by the manifest's prior, flagged as degraded. Cancelling
        stops the members' work.
        """
        started = time.perf_counter()
        tally = _Tally(AnytimePool(self._manifest.pooling, self._weights))
        tasks = [asyncio.create_task(self._follow(voter, question, tally)) for voter in self._voters]
        try:
            if tasks:
                timeout = None if deadline.at_s == float("inf") else deadline.remaining_s()
                await asyncio.wait(tasks, timeout=timeout)
        finally:
            for task in tasks:
                task.cancel()
        pooled = tally.pool.current()
        probabilities = pooled or self._manifest.answer_prior_for(len(question.choices))
        reports = [
            MemberReport(name, tally.votes.get(name), tally.errors.get(name, None if name in tally.votes else "late"))
            for name in self._weights
        ]
        letter = LETTERS[probabilities.index(max(probabilities))]
        return Verdict(
            answer=Answer(letter, reasoning(letter, probabilities, reports, pooled is not None)),
            probabilities=probabilities,
            members=reports,
            elapsed_ms=(time.perf_counter() - started) * 1000,
            degraded=not reports or not all(report.complete for report in reports),
        )

    async def _follow(self, voter: Voter, question: Question, tally: _Tally) -> None:
        name = voter.member.name
        try:
            async with aclosing(voter.votes(question)) as votes:
                async for vote in votes:
                    if not all(map(math.isfinite, vote.probabilities)):
                        raise EngineError(f"member {name} gave a distribution that is not finite")
                    tally.votes[name] = vote
                    tally.pool.report(name, vote.probabilities)
        except AiacError as error:
            tally.errors[name] = str(error)
            logger.warning("member %s left out of an answer: %s", name, error)
        except Exception as error:
            # A member's fault must not cost the answer, whatever it is.
            tally.errors[name] = f"unexpected {type(error).__name__}"
            logger.exception("member %s left out of an answer", name)


def reasoning(letter: str, probabilities: Sequence[float], reports: Sequence[MemberReport], pooled: bool) -> str:
    """One honest sentence on what the pool saw; under 100 words for any ensemble."""
    if not pooled:
        return f"No member of the ensemble finished in time; {letter} is the most frequent key for such questions."
    shares = ", ".join(f"{LETTERS[i]} {share:.0%}" for i, share in enumerate(probabilities))
    voted = [report.vote for report in reports if report.vote is not None]
    agreeing = sum(vote.probabilities.index(max(vote.probabilities)) == LETTERS.index(letter) for vote in voted)
    late = len(reports) - sum(report.complete for report in reports)
    left_out = f" {late} of {len(reports)} members did not finish." if late else ""
    return f"Pooled probabilities: {shares}. {agreeing} of {len(voted)} members chose {letter}.{left_out}"
