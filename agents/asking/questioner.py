"""The Q-Agent: questions on their way through the gates into the pool, and out of it, never late.

propose → parse → format → English and content → length → duplicates → the proposer's own gates, its key gate first →
pool. The gates hold whatever a proposer writes. What fills the pool ahead is weighed for hardness before it; what the
pool lacks is made while the asker waits, and is not. A topic that nothing else covers goes to a language model, where
there is one.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from agents.asking.draft_sources import DraftSources
from agents.asking.gates.counts import GateRow
from agents.asking.gates.duplicates import DuplicatesGate
from agents.asking.gates.pipeline import GatePipeline
from agents.asking.pool.filling import FillingOptions, PoolFilling
from agents.asking.pool.pool import PoolCount, ServedQuestion
from agents.asking.pool.store import QuestionStore
from agents.asking.proposal import DraftSource, Proposer, RejectedError
from agents.asking.solver_proposer import read_difficulty
from agents.core.deadline import Deadline, DeadlinePolicy
from agents.core.edition import Edition
from agents.core.errors import AiacError, EngineError, InputError, NotReadyError
from agents.core.text_similarity import hex_digest
from agents.core.token_estimate import estimate_tokens
from agents.core.topics import Topic, edition_topics, find_topic, read_topics, unknown_topic
from agents.support.priority import Priority, PriorityGate
from puzzles import LEVELS
from puzzles.difficulty import level_of

DEFAULT_DIFFICULTY = "hard"
"""What is asked where nobody says: the opponent is to fail."""
FIRST_SHARE = 0.7
"""Share of the time until the deadline that goes to the question that was asked for; the rest is for any that waits."""
MODEL_SHARE = 0.9
"""The same for a model's question: a draft takes seconds, and what waits is had in milliseconds."""
MAX_ATTEMPTS = 300
"""Drafts for one question. A solver needs one to five; the most where an edition allows few tokens."""


@dataclass(frozen=True)
class QuestionerStatus:
    """For metrics and people."""

    pool: list[PoolCount]
    problem: str | None
    """Why the pool's file cannot be used, None while it can."""
    served: dict[str, int]
    """Questions served since the start, by where they came from: ``pool``, ``fresh``, ``spare``."""
    gates: list[GateRow]


class Questioner:
    """For one event loop.

    ``priorities`` knows the answers and the model's questions in progress: meanwhile the model writes nothing ahead.
    ``topics`` default to the edition's; those that no source covers are left out.

    Raises InputError when none is covered.
    """

    def __init__(
        self,
        edition: Edition,
        store: QuestionStore,
        sources: DraftSources | None = None,
        filling: FillingOptions | None = None,
        *,
        priorities: PriorityGate | None = None,
        topics: Sequence[Topic] | None = None,
        draw_seed: Callable[[], int] = lambda: random.SystemRandom().getrandbits(62),
    ) -> None:
        self.edition = edition
        self._pipeline = GatePipeline(edition, estimate_tokens)
        self.gate_counts = self._pipeline.counts
        self._store = store
        self._sources = sources or DraftSources()
        self._priorities = priorities or PriorityGate()
        self._draw_seed = draw_seed
        self._turn = count()
        self._served: Counter[str] = Counter()
        wanted = edition_topics(edition) if topics is None else list(topics)
        self.topics = [topic for topic in wanted if self._sources.find(topic)]
        """What is asked about when nobody names a topic, in turn."""
        if not self.topics:
            raise unknown_topic(wanted[0].path if wanted else "", [])
        self._filling = PoolFilling(
            store,
            self._pipeline,
            self._sources,
            self.topics,
            draw_seed,
            self._priorities,
            filling or FillingOptions(),
        )
        for topic in filter(self._needs_model, self.topics):
            for level in LEVELS:
                self._filling.asked(topic, level)

    async def ask(
        self,
        topic: str | Topic | None = None,
        difficulty: Any = None,
        seed: int | None = None,
        deadline: Deadline | None = None,
    ) -> ServedQuestion:
        """A question that nobody was asked before: from the pool, else made now.

        ``topic`` is a name in any spelling, or what ``find`` returned; None is the next of ``topics``. ``difficulty``
        is a level or a number; None is hard. A ``seed`` names a run of questions made now: the first time it gives its
        first question, the next time, or where that one was served already, the next one. Without a ``deadline`` the
        edition's limit holds, less a margin.

        Where there is none in time it is replaced by anything on the topic that waits, and flagged.
        Raises InputError for a topic that nothing covers or a difficulty that it does not reach, NotReadyError, with
        what was tried, when there is nothing at the deadline, EngineError when a model that the topic needs fails.
        """
        deadline = deadline or DeadlinePolicy(self.edition.question_seconds).from_now()
        found = self._next_topic(seed) if topic is None else self.find(topic) if isinstance(topic, str) else topic
        source = self._source(found)
        wanted = DEFAULT_DIFFICULTY if difficulty is None else read_difficulty(found, difficulty)
        needs_model = source is self._sources.model
        if needs_model:
            self._filling.asked(found, str(wanted))
        refused: Counter[str] = Counter()
        failure: AiacError
        with self._priorities.running(Priority.QUESTION) if needs_model else nullcontext():
            try:
                async with asyncio.timeout(_timeout(deadline, MODEL_SHARE if needs_model else FIRST_SHARE)):
                    return await self._wanted(source, found, wanted, seed, refused)
            except TimeoutError:
                failure = NotReadyError(
                    f"no question on {found.name} was ready within the time limit: {_told(refused)}"
                )
            except (NotReadyError, EngineError) as error:
                failure = error
        return await self._spare(found.name, deadline, failure)

    def find(self, asked: str) -> Topic:
        """Return the topic that is meant. Raises InputError for one that nothing covers."""
        try:
            topic = find_topic(asked, self.topics)
        except InputError as unknown:
            if self._sources.find(Topic(asked)) is None:
                raise
            try:
                topic = read_topics(asked)[0]
            except InputError:
                raise unknown from None
        if self._sources.find(topic) is None:
            raise unknown_topic(asked, self.topics)
        return topic

    def needs_model(self, topic: str | None) -> bool:
        """Return whether a question on ``topic``, or when None on one of ``topics``, is for the model to write.

        Raises InputError for a topic that nothing covers.
        """
        return any(map(self._needs_model, self.topics if topic is None else [self.find(topic)]))

    async def refill(self) -> bool:
        """As ``PoolFilling.refill``."""
        return await self._filling.refill()

    async def keep_filled(self, *, pause_s: float = 0.2, sleep: Callable[[float], Any] = asyncio.sleep) -> None:
        """As ``PoolFilling.keep_filled``."""
        await self._filling.keep_filled(pause_s=pause_s, sleep=sleep)

    async def status(self) -> QuestionerStatus:
        pool = await self._store.counts()
        return QuestionerStatus(pool, self._store.problem, dict(self._served), self.gate_counts.rows())

    async def served(self, id_or_text: str) -> ServedQuestion | None:
        """A question that was served, by its id or its text, with its proof."""
        return await self._store.served(id_or_text)

    async def close(self) -> None:
        await self._store.close()

    def _next_topic(self, seed: int | None) -> Topic:
        return self.topics[(next(self._turn) if seed is None else seed) % len(self.topics)]

    def _source(self, topic: Topic) -> DraftSource[Proposer]:
        source = self._sources.find(topic)
        if source is None:
            raise unknown_topic(topic.path, self.topics)
        return source

    def _needs_model(self, topic: Topic) -> bool:
        return self._sources.model is not None and self._sources.find(topic) is self._sources.model

    async def _wanted(
        self,
        source: DraftSource[Proposer],
        topic: Topic,
        wanted: str | float,
        seed: int | None,
        refused: Counter[str],
    ) -> ServedQuestion:
        if seed is None:
            level, near = (wanted, None) if isinstance(wanted, str) else (None, wanted)
            waiting = await self._store.take(topic.name, level, near)
            if waiting is not None:
                self._served["pool"] += 1
                return waiting
            seed = self._draw_seed()
        return await self._fresh(source, topic, wanted, seed, refused)

    async def _spare(self, topic: str, deadline: Deadline, failure: AiacError) -> ServedQuestion:
        """Anything on ``topic`` that waits, flagged. Raises ``failure`` where nothing does."""
        try:
            async with asyncio.timeout(_timeout(deadline)):
                spare = await self._store.take(topic)
        except TimeoutError:
            spare = None
        if spare is None:
            raise failure
        self._served["spare"] += 1
        return replace(spare, degraded=True)

    async def _fresh(
        self, source: DraftSource[Proposer], topic: Topic, wanted: str | float, seed: int, refused: Counter[str]
    ) -> ServedQuestion:
        """``refused`` counts the drafts that no gate let through, by reason."""
        solver = self._sources.solver
        level = wanted if isinstance(wanted, str) else level_of(wanted)
        gates = [DuplicatesGate(self._store, served_only=True), *source.gates]
        for attempt in range(MAX_ATTEMPTS):
            if source is solver:
                writing = solver.proposer.propose(topic, wanted, _seed(seed, attempt))
            else:
                writing = source.proposer.propose(topic, level, _seed(seed, attempt))
            try:
                proposal = await self._pipeline.run(source.proposer.name, writing, gates)
                served = await self._pipeline.keep(proposal, self._store.serve(proposal))
            except RejectedError as error:
                refused[error.reason] += 1
                await asyncio.sleep(0)
                continue
            self._served["fresh"] += 1
            return served
        raise NotReadyError(f"no question on {topic.name}: {_told(refused)}")


def _told(refused: Counter[str]) -> str:
    if not refused:
        return "no draft was finished"
    reasons = ", ".join(f"{reason} {number}" for reason, number in refused.most_common())
    return f"the gates refused {refused.total()} draft{'s' * (refused.total() > 1)} ({reasons})"


def _timeout(deadline: Deadline, share: float = 1.0) -> float | None:
    left = deadline.remaining_s() * share
    return None if left == float("inf") else left


def _seed(seed: int, attempt: int) -> int:
    """The seed of a run's question number ``attempt``: so that two runs do not share their later ones."""
    return seed if attempt == 0 else int(hex_digest(str(seed), str(attempt)), 16)
