"""The service's Prometheus metrics, in a registry of their own, so that two apps in one process do not clash."""

from __future__ import annotations

from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from agents.answerer import Verdict
from service.state import ServiceState

Outcome = Literal["complete", "degraded", "refused"]

# Seconds; dense around the limits of the known editions (6 and 9 s, less a margin).
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4, 5, 5.5, 6, 7, 8, 8.5, 9, 13, 30, 60)


class Metrics:
    """All metrics of one app."""

    def __init__(self, state: ServiceState) -> None:
        self.registry = CollectorRegistry()
        self._answers = Counter(
            "aiac_answers",
            "Questions by outcome: complete, degraded (members left out or cut short), refused (invalid, or not ready)",
            ["outcome"],
            registry=self.registry,
        )
        for outcome in ("complete", "degraded", "refused"):
            self._answers.labels(outcome)
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
        self._batch_questions = Counter(
            "aiac_batch_questions", "Questions that came in batches", registry=self.registry
        )
        in_flight = Gauge("aiac_in_flight", "Questions being answered now", registry=self.registry)
        in_flight.set_function(lambda: state.in_flight)

    def answered(self, verdict: Verdict, seconds: float) -> None:
        """Counts an answer that took ``seconds`` from the request's arrival."""
        self._answers.labels("degraded" if verdict.degraded else "complete").inc()
        self._seconds.observe(seconds)
        for report in verdict.members:
            if not report.complete:
                self._failures.labels(report.name).inc()

    def refused(self) -> None:
        """Counts a question that got no answer."""
        self._answers.labels("refused").inc()

    def batch(self, questions: int) -> None:
        """Counts the questions of a batch, broken ones too."""
        self._batch_questions.inc(questions)
