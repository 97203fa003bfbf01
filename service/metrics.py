"""The service's Prometheus metrics, in a registry of their own, so that two apps in one process do not clash."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from agents.answering.answerer import LEFT_OUT, NOT_SERVED, AnswerResult
from agents.answering.planner import KINDS
from agents.asking.gates.counts import GateCounts
from agents.asking.pool.pool import PoolCount
from agents.core.errors import AiacError
from agents.core.topics import families_of
from service.state import ServiceState

AnswerOutcome = Literal["complete", "degraded", "refused", "busy", "abandoned"]

# Seconds; dense around the limits of the known editions (6 and 9 s, less a margin).
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4, 5, 5.5, 6, 7, 8, 8.5, 9, 13, 30, 60)

OTHER_TOPICS = "other"
"""The label of the topics that only a model writes on."""


@contextmanager
def refusals_counted(count: Callable[[], None]) -> Iterator[None]:
    """Calls ``count`` when the block ends in an error of ours, which goes on."""
    try:
        yield
    except AiacError:
        count()
        raise


class GateCollector(Collector):
    """What became of the Q-Agent's drafts, read from its own counts when Prometheus asks."""

    def __init__(self, counts: GateCounts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[CounterMetricFamily]:
        entered = CounterMetricFamily(
            "aiac_question_drafts", "Drafts of questions that reached a gate", labels=["proposer", "gate"]
        )
        refused = CounterMetricFamily(
            "aiac_question_drafts_refused", "Drafts that a gate refused", labels=["proposer", "gate", "reason"]
        )
        for row in self._counts.rows():
            entered.add_metric([row.proposer, row.gate], row.entered)
            for reason, number in row.reasons.items():
                refused.add_metric([row.proposer, row.gate, reason], number)
        yield entered
        yield refused


class Metrics:
    """All metrics of one app."""

    def __init__(self, state: ServiceState) -> None:
        self.registry = CollectorRegistry()
        self._answers = Counter(
            "aiac_answers",
            "Questions by outcome: complete, degraded (members left out or cut short), refused (invalid, not ready), "
            "busy (refused, since the answer would be late), abandoned (requests whose client hung up)",
            ["outcome"],
            registry=self.registry,
        )
        for outcome in get_args(AnswerOutcome):
            self._answers.labels(outcome)
        self._admitted = Counter("aiac_admitted", "Single questions that admission let in", registry=self.registry)
        self._rungs = Counter(
            "aiac_rungs",
            "Answers by what the time left let the members be asked for",
            ["rung"],
            registry=self.registry,
        )
        for kind in KINDS:
            self._rungs.labels(kind)
        self._seconds = Histogram(
            "aiac_answer_seconds",
            "Seconds from a request's arrival to the answer",
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._failures = Counter(
            "aiac_member_failures",
            "Answers in which a member of the ensemble was late, cut short or failed",
            ["member"],
            registry=self.registry,
        )
        self._left_out = Counter(
            "aiac_member_left_out",
            "Answers for which a member was not asked, for want of time or since its engine does not serve",
            ["member"],
            registry=self.registry,
        )
        self._batch_questions = Counter(
            "aiac_batch_questions", "Questions that came in batches", registry=self.registry
        )
        self._questions = Counter(
            "aiac_questions",
            "Questions asked by the Q-Agent, by outcome: served, degraded (not what was asked for, or without the "
            "pool's file), refused (invalid, or none in time)",
            ["outcome"],
            registry=self.registry,
        )
        for outcome in ("served", "degraded", "refused"):
            self._questions.labels(outcome)
        self._question_seconds = Histogram(
            "aiac_question_seconds",
            "Seconds from a request's arrival to its question",
            buckets=(0.005, 0.01, 0.025, *BUCKETS),
            registry=self.registry,
        )
        self._pool = Gauge(
            "aiac_question_pool", "Questions that wait to be asked", ["topic", "level"], registry=self.registry
        )
        in_flight = Gauge("aiac_in_flight", "Questions being answered now", registry=self.registry)
        in_flight.set_function(lambda: state.in_flight)
        wait = Gauge(
            "aiac_predicted_wait_seconds",
            "Seconds until the slowest engine would be done with what is queued now, as predicted",
            registry=self.registry,
        )
        wait.set_function(lambda: state.ensemble.answerer.wait_s() if state.ensemble else 0.0)

    def question_served(self, degraded: bool, seconds: float) -> None:
        """Counts a question asked of the Q-Agent that took ``seconds``."""
        self._questions.labels("degraded" if degraded else "served").inc()
        self._question_seconds.observe(seconds)

    def question_refused(self) -> None:
        """Counts a request for a question that got none."""
        self._questions.labels("refused").inc()

    def watch_gates(self, counts: GateCounts) -> None:
        """Shows ``counts`` from now on."""
        self.registry.register(GateCollector(counts))

    def pool_counted(self, counts: Sequence[PoolCount]) -> None:
        """Sets how many questions wait. Topics that no puzzle covers count together: anybody may ask for any name."""
        waiting: collections.Counter[tuple[str, str]] = collections.Counter()
        for row in counts:
            waiting[row.topic if families_of(row.topic) else OTHER_TOPICS, row.level] += row.waiting
        for (topic, level), number in waiting.items():
            self._pool.labels(topic, level).set(number)

    def answered(self, verdict: AnswerResult, seconds: float) -> None:
        """Counts an answer that took ``seconds`` from the request's arrival."""
        self._answers.labels("degraded" if verdict.degraded else "complete").inc()
        self._seconds.observe(seconds)
        self._rungs.labels(verdict.rung).inc()
        for report in verdict.members:
            done = report.vote.steps_done if report.vote else 0
            if report.error in (LEFT_OUT, NOT_SERVED):
                self._left_out.labels(report.name).inc()
            # Fewer orders than the manifest's, when no more were asked for, are not the member's fault.
            elif not done or done < verdict.planned.get(report.name, 0):
                self._failures.labels(report.name).inc()

    def admitted(self) -> None:
        """Counts a single question that admission let in."""
        self._admitted.inc()

    def busy(self) -> None:
        """Counts a question that admission refused."""
        self._answers.labels("busy").inc()

    def abandoned(self) -> None:
        """Counts a request whose client hung up."""
        self._answers.labels("abandoned").inc()

    def refused(self) -> None:
        """Counts a question that got no answer."""
        self._answers.labels("refused").inc()

    def batch(self, questions: int) -> None:
        """Counts the questions of a batch, broken ones too."""
        self._batch_questions.inc(questions)
