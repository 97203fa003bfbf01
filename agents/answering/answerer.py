"""The A-Agent: a question and a deadline in, a letter out. Never late, never malformed."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from agents.answering.cost import CostModel, Reservation
from agents.answering.planner import PlanKind, Planner
from agents.answering.voter import Vote, Voter
from agents.core.deadline import Deadline
from agents.core.errors import AiacError, EngineError
from agents.core.manifest import Manifest
from agents.core.pooling import AnytimePooling, likeliest
from agents.core.schema import LETTERS, Answer, Question

logger = logging.getLogger(__name__)
LATE = "late"
LEFT_OUT = "left out: not enough time"
NOT_SERVED = "not served now"


@dataclass(frozen=True)
class MemberReport:
    """What one member had to say in time: its vote, or why there is none."""

    name: str
    vote: Vote | None
    error: str | None = None
    voted_ms: float | None = field(default=None, compare=False)
    """When its last vote came, in milliseconds from the start of the answer; None without one."""

    @property
    def complete(self) -> bool:
        return self.vote is not None and self.vote.complete

    @property
    def truncated(self) -> bool:
        return self.vote is not None and self.vote.truncated


@dataclass(frozen=True)
class AnswerResult:
    """An answer, and what it rests on.

    ``degraded`` when any member was left out or cut short, or read the question without its middle.

    ``rung`` and ``planned``, steps by member, say what the members were asked for in the time there was.
    """

    answer: Answer
    probabilities: list[float]
    members: list[MemberReport]
    elapsed_ms: float
    degraded: bool
    rung: PlanKind = "full"
    planned: Mapping[str, int] = field(default_factory=dict)


@dataclass(eq=False)
class _Spare:
    """A member's work beyond the first member's for an answer: it makes room for a question that would get nothing."""

    name: str
    task: asyncio.Task[None]
    reservation: Reservation
    given_up: bool = False

    def give_up(self) -> None:
        self.given_up = not self.task.done()
        self.task.cancel()
        self.reservation.withdraw()


@dataclass
class _Tally:
    pooling: AnytimePooling
    started_s: float
    votes: dict[str, Vote] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    voted_ms: dict[str, float] = field(default_factory=dict)


class Answerer:
    """Runs the members of an ensemble concurrently, pools what has arrived, and stops at the deadline.

    When all that is queued leaves too little time for every member, it asks for less: ``agents.answering.planner``.
    """

    def __init__(self, manifest: Manifest, voters: Sequence[Voter], costs: CostModel | None = None) -> None:
        self._manifest = manifest
        self._costs = costs or CostModel()
        self._spares: list[_Spare] = []
        self.set_voters(voters)

    def set_voters(self, voters: Sequence[Voter]) -> None:
        """Replaces the voters from the next answer on; those in flight go on with the ones they began with.

        What a member's steps cost is remembered by its name. To be called in the event loop that answers.
        """
        # Members of weight 0 are in a manifest to be measured; an answer does not wait for them.
        self._planner = Planner([voter for voter in voters if voter.member.weight > 0], self._costs)
        self._costs.keep([voter.engine for voter in self._planner.voters])

    @property
    def voters(self) -> Sequence[Voter]:
        return self._planner.voters

    def wait_s(self) -> float:
        """Seconds until the slowest engine would be done with what is queued now, as predicted."""
        return self._costs.wait_s()

    def shortfall_s(self, question: Question, deadline: Deadline, *, spares: bool = True) -> float:
        """Seconds until at least one step of one member would fit before ``deadline``; 0 when it does now.

        With ``spares``, what other answers can spare counts as free. Also 0 when the deadline is over or there is no
        voter: waiting would not help.
        """
        if deadline.expired:
            return 0.0
        spare = [one.reservation for one in self._spares] if spares else []
        return self._planner.shortfall_s(question, deadline.remaining_s(), spare)

    def forget_costs(self) -> None:
        """Forgets what steps cost, such as after the first ones of an engine, which are slow. Nothing may be queued."""
        self._costs.forget()

    async def answer(self, question: Question, deadline: Deadline) -> AnswerResult:
        """The pool's best letter when every member asked has voted, or at the deadline, whichever comes first.

        Asked is what is predicted to fit: fewer orders or fewer members where not all does. Where nothing fits, other
        answers give up all but one member on each engine, the latest answers first. With no vote at all the
        answer is the likeliest key by the manifest's prior. Both are flagged as degraded. Cancelling stops the members'
        work. What is asked is counted as queued before this first suspends.
        """
        started_s = time.perf_counter()
        planner, remaining_s = self._planner, deadline.remaining_s()
        while self._spares and planner.shortfall_s(question, remaining_s) > 0:
            self._spares.pop().give_up()
        plan = planner.plan(question, remaining_s)
        weights = {voter.member.name: voter.member.weight for voter in planner.voters}
        tally = _Tally(AnytimePooling(self._manifest.pooling, weights), started_s)
        tasks = []
        spares = []
        asked = list(planner.reserve(question, plan))
        heaviest = {r.queue: voter for voter, r in sorted(asked, key=lambda pair: pair[0].member.weight)}
        # The heaviest first: where the engine computes one step after the other, its vote comes first.
        for voter, reservation in sorted(asked, key=lambda pair: pair[0] is not heaviest[pair[1].queue]):
            task = asyncio.create_task(self._follow(voter, question, reservation, tally))
            tasks.append(task)
            if voter is not heaviest[reservation.queue]:
                spares.append(_Spare(voter.member.name, task, reservation))
        self._spares += spares
        try:
            if tasks:
                timeout = None if deadline.at_s == float("inf") else deadline.remaining_s()
                await asyncio.wait(tasks, timeout=timeout)
        finally:
            for task in tasks:
                task.cancel()
            # Here too: the next question is planned before these tasks end, and one that never began would not do it.
            for _, reservation in asked:
                reservation.release()
            self._spares = [spare for spare in self._spares if spare not in spares]
        pooled = tally.pooling.current()
        probabilities = pooled or _shared(self._manifest.answer_prior_for(len(question.choices)), question.places)
        served = [member.name for member in self._manifest.members if member.weight > 0]
        given_up = {spare.name for spare in spares if spare.given_up}
        steps = {name: count for name, count in plan.steps.items() if name not in given_up}
        silence = {name: LEFT_OUT if remaining_s and name not in steps else LATE for name in weights}
        reports = [
            MemberReport(
                name,
                vote := tally.votes.get(name),
                tally.errors.get(name, None if vote else silence.get(name, NOT_SERVED)),
                tally.voted_ms.get(name),
            )
            for name in dict.fromkeys([*served, *weights])
        ]
        letter = LETTERS[likeliest(probabilities)]
        return AnswerResult(
            answer=Answer(letter, reasoning(letter, probabilities, reports, pooled is not None)),
            probabilities=probabilities,
            members=reports,
            elapsed_ms=(time.perf_counter() - started_s) * 1000,
            degraded=not reports or not all(report.complete and not report.truncated for report in reports),
            rung="fewer members" if given_up else plan.kind,
            planned=steps,
        )

    async def _follow(self, voter: Voter, question: Question, reservation: Reservation, tally: _Tally) -> None:
        name = voter.member.name
        done = 0
        try:
            async with aclosing(voter.votes(question, reservation.steps)) as votes:
                async for vote in votes:
                    reservation.complete(vote.steps_done - done)
                    done = vote.steps_done
                    if not all(map(math.isfinite, vote.probabilities)):
                        raise EngineError(f"member {name} gave a distribution that is not finite")
                    tally.votes[name] = vote
                    tally.voted_ms[name] = (time.perf_counter() - tally.started_s) * 1000
                    tally.pooling.report(name, vote.probabilities)
        except AiacError as error:
            tally.errors[name] = str(error)
            logger.warning("member %s left out of an answer: %s", name, error)
        except Exception as error:
            # A member's fault must not cost the answer, whatever it is.
            tally.errors[name] = f"unexpected {type(error).__name__}"
            logger.exception("member %s left out of an answer", name)
        finally:
            reservation.release()


def _shared(prior: Sequence[float], places: Sequence[int]) -> list[float]:
    """The prior with the shares of equal choices made equal."""
    by_place = [[p for p, other in zip(prior, places, strict=True) if other == place] for place in places]
    return [shares[0] if len(shares) == 1 else math.fsum(shares) / len(shares) for shares in by_place]


def reasoning(letter: str, probabilities: Sequence[float], reports: Sequence[MemberReport], pooled: bool) -> str:
    """One honest sentence on what the pool saw; under 100 words for any ensemble."""
    if not pooled:
        return f"No member of the ensemble finished in time; {letter} is the most frequent key for such questions."
    shares = ", ".join(f"{LETTERS[i]} {share:.0%}" for i, share in enumerate(probabilities))
    voted = [report.vote for report in reports if report.vote is not None]
    agreeing = sum(likeliest(vote.probabilities) == LETTERS.index(letter) for vote in voted)
    absent = sum(report.error in (LEFT_OUT, NOT_SERVED) for report in reports)
    unfinished = len(reports) - absent - sum(report.complete for report in reports)
    late = f" {unfinished} of {len(reports)} members did not finish." if unfinished else ""
    left_out = f" {absent} of {len(reports)} members could not be asked." if absent else ""
    cut = " The question was too long and was read without its middle." if any(r.truncated for r in reports) else ""
    return f"Pooled probabilities: {shares}. {agreeing} of {len(voted)} members chose {letter}.{late}{left_out}{cut}"
