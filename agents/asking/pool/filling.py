"""Fill the pool one step at a time.

The emptiest topic and level comes first, then what only the model can write and was asked for, then candidates harder
than what waits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from agents.asking.draft_sources import DraftSources
from agents.asking.gates.duplicates import DuplicatesGate
from agents.asking.gates.pipeline import GatePipeline
from agents.asking.pool.store import QuestionStore
from agents.asking.proposal import DraftSource, Gate, Proposer, RejectedError
from agents.core.errors import EngineError
from agents.core.topics import Topic
from agents.support.concurrency import InterruptedWorkError
from agents.support.priority import Priority, PriorityGate
from puzzles import LEVELS

Slot = tuple[str, str]
"""A topic's name and a level."""
EARNED_DRAFTS = 20
"""Background drafts that each request for a model's question allows on its topic and level. Without a bound, a model
that writes nothing that passes would compute forever."""
MOST_EARNING = 100
"""Topics and levels that the model is still to write on; the one that was asked for the longest ago makes room."""


@dataclass(frozen=True)
class FillingOptions:
    """How the pool is filled."""

    hardness: Gate | None = None
    """Weighs what goes into the pool."""
    surplus: int = 0
    """How many more candidates a full topic and level sees, so that the hardest stay."""


class PoolFilling:
    """The writers of ``sources`` write on ``topics``, in turn where several cover one.

    Its model writes on what it was ``asked`` for, and is interrupted when something of a higher priority begins.
    """

    def __init__(
        self,
        store: QuestionStore,
        pipeline: GatePipeline,
        sources: DraftSources,
        topics: Sequence[Topic],
        draw_seed: Callable[[], int],
        priorities: PriorityGate,
        options: FillingOptions,
    ) -> None:
        self._store = store
        self._pipeline = pipeline
        self._model = sources.model
        self._writers = {topic.name: (topic, writers) for topic in topics if (writers := sources.filling(topic))}
        self._draw_seed = draw_seed
        self._priorities = priorities
        self._hardness = [] if options.hardness is None else [options.hardness]
        self._surplus = options.surplus
        self._steps = count()
        self._tried: Counter[Slot] = Counter()
        self._earned: dict[Slot, tuple[Topic, int]] = {}

    def asked(self, topic: Topic, level: str) -> None:
        """Questions that only the model can write are wanted: some are written ahead."""
        slot = (topic.name, level)
        self._earned.pop(slot, None)
        self._earned[slot] = topic, EARNED_DRAFTS
        if len(self._earned) > MOST_EARNING:
            del self._earned[next(iter(self._earned))]

    async def refill(self) -> bool:
        """Take one step towards a full pool: at most one question more. Cancelling it loses nothing.

        False when there is nothing to do, or no use in trying again at once.
        """
        waiting = {(row.topic, row.level): row.waiting for row in await self._store.counts()}
        slots = [(topic, level) for level in reversed(LEVELS) for topic in self._writers]
        slot = min(slots, key=lambda s: (waiting.get(s, 0), self._tried[s]), default=None)
        if slot is not None and waiting.get(slot, 0) < self._store.capacity:
            self._tried[slot] = 0
        elif self._model is not None and self._earned:
            return await self._write_ahead(self._model, waiting)
        elif slot is not None and self._tried[slot] < self._surplus:
            self._tried[slot] += 1
        else:
            return False
        topic, writers = self._writers[slot[0]]
        return await self._write(writers[next(self._steps) % len(writers)], topic, slot[1])

    async def keep_filled(self, *, pause_s: float, sleep: Callable[[float], Any]) -> None:
        """Refill while no answer is in progress, until cancelled; sleep while one is, or the pool is full."""
        while True:
            worked = not self._priorities.blocked(Priority.QUESTION) and await self.refill()
            await sleep(0 if worked else pause_s)

    async def _write_ahead(self, model: DraftSource[Proposer], waiting: Mapping[Slot, int]) -> bool:
        """Write a draft for what was asked for last. One that is interrupted was not paid for."""
        slot, (topic, left) = next(reversed(self._earned.items()))
        if waiting.get(slot, 0) >= self._store.capacity:
            del self._earned[slot]
            return True
        if self._priorities.blocked(Priority.BACKGROUND):
            return False
        try:
            worked = await self._priorities.preemptible(Priority.BACKGROUND, self._write(model, topic, slot[1]))
        except InterruptedWorkError:
            return False
        if left > 1:
            self._earned[slot] = topic, left - 1
        else:
            del self._earned[slot]
        return worked

    async def _write(self, source: DraftSource[Proposer], topic: Topic, level: str) -> bool:
        """Write one draft; False when the engine failed."""
        writing = source.proposer.propose(topic, level, self._draw_seed())
        gates = [DuplicatesGate(self._store), *source.gates, *self._hardness]
        try:
            proposal = await self._pipeline.run(source.proposer.name, writing, gates)
            await self._pipeline.keep(proposal, self._store.add(proposal))
        except RejectedError:
            return True
        except EngineError:
            return False
        return True
