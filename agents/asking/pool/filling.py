"""What fills the pool, a step at a time: the emptiest topic and level first; then what the model has been asked for;
then candidates harder than what waits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import count

from agents.asking.gates.duplicates import DuplicatesGate
from agents.asking.gates.pipeline import GatePipeline
from agents.asking.pool.store import QuestionStore
from agents.asking.proposal import DraftSource, Gate, Proposer, RejectedError
from agents.core.errors import EngineError
from agents.core.topics import Topic
from agents.support.cancellation import InterruptedWorkError
from agents.support.priority import Priority, PriorityGate
from puzzles import LEVELS

Slot = tuple[str, str]
"""A topic's name and a level."""
EARNED_DRAFTS = 20
"""Drafts of the model that a request for one of its questions earns the topic and level: a model that writes nothing
that passes must not compute for ever."""
MOST_EARNING = 100
"""Topics and levels that the model is still to write on; the one that was asked for the longest ago makes room."""


class PoolFilling:
    """``writers`` write on ``topics``, in turn where several cover one.

    ``model`` writes on what it was ``asked`` for, and is interrupted when something of a higher priority begins.
    ``hardness`` is asked about what goes into the pool. ``surplus`` is how many more candidates a full topic and level
    sees, so that the hardest stay.
    """

    def __init__(
        self,
        store: QuestionStore,
        pipeline: GatePipeline,
        writers: Sequence[DraftSource[Proposer]],
        topics: Sequence[Topic],
        draw_seed: Callable[[], int],
        *,
        model: DraftSource[Proposer] | None = None,
        priorities: PriorityGate | None = None,
        hardness: Gate | None = None,
        surplus: int = 0,
    ) -> None:
        self._store = store
        self._pipeline = pipeline
        self._writers = {topic.name: [w for w in writers if w.proposer.covers(topic.name)] for topic in topics}
        self._draw_seed = draw_seed
        self._hardness = [] if hardness is None else [hardness]
        self._surplus = surplus
        self._steps = count()
        self._tried: Counter[Slot] = Counter()
        self._model = model
        self._priorities = priorities or PriorityGate()
        self._earned: dict[Slot, int] = {}

    def asked(self, slot: Slot) -> None:
        """Questions that only the model can write are wanted: some are written ahead."""
        self._earned.pop(slot, None)
        self._earned[slot] = EARNED_DRAFTS
        if len(self._earned) > MOST_EARNING:
            del self._earned[next(iter(self._earned))]

    async def refill(self) -> bool:
        """One step towards a full pool: at most one question more. Cancelling it loses nothing.

        False when there is nothing to do, or no use in trying again at once.
        """
        waiting = {(row.topic, row.level): row.waiting for row in await self._store.counts()}
        slots = [(topic, level) for level in reversed(LEVELS) for topic, sources in self._writers.items() if sources]
        slot = min(slots, key=lambda s: (waiting.get(s, 0), self._tried[s]), default=None)
        if slot is not None and waiting.get(slot, 0) < self._store.capacity:
            self._tried[slot] = 0
        elif self._model is not None and self._earned:
            return await self._write_ahead(self._model, waiting)
        elif slot is not None and self._tried[slot] < self._surplus:
            self._tried[slot] += 1
        else:
            return False
        sources = self._writers[slot[0]]
        return await self._write(sources[next(self._steps) % len(sources)], slot)

    async def _write_ahead(self, model: DraftSource[Proposer], waiting: Mapping[Slot, int]) -> bool:
        """A draft for what was asked for last. One that is interrupted was not paid for."""
        slot, left = next(reversed(self._earned.items()))
        if waiting.get(slot, 0) >= self._store.capacity:
            del self._earned[slot]
            return True
        if self._priorities.blocked(Priority.BACKGROUND):
            return False
        try:
            worked = await self._priorities.preemptible(Priority.BACKGROUND, self._write(model, slot))
        except InterruptedWorkError:
            return False
        if left > 1:
            self._earned[slot] = left - 1
        else:
            del self._earned[slot]
        return worked

    async def _write(self, source: DraftSource[Proposer], slot: Slot) -> bool:
        """One draft for the slot; False when the engine failed."""
        writing = source.proposer.propose(*slot, self._draw_seed())
        gates = [DuplicatesGate(self._store), *source.gates, *self._hardness]
        try:
            proposal = await self._pipeline.run(source.proposer.name, writing, gates)
            await self._pipeline.keep(proposal, self._store.add(proposal))
        except RejectedError:
            return True
        except EngineError:
            return False
        return True
