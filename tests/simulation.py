"""Load in simulated time: an event loop whose time passes only when nothing is left to do, and an engine with a queue.

Minutes of load take seconds, and come out the same every time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from char_tokenizer import CharTokenizer

from agents.answering.cost import CostModel
from agents.core.errors import EngineError
from agents.engines.protocol import Engine, Generation

T = TypeVar("T")


class _NoWaiting(selectors.DefaultSelector):
    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everything waits for something that will never happen")
        self.now_s += max(timeout, 0.0)
        return super().select(0)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Give ``loop.time`` to whatever else needs a clock. Nothing in it may wait for a thread or a socket."""

    def __init__(self) -> None:
        self._virtual = _NoWaiting()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now_s


def run_virtual(work: Coroutine[Any, Any, T]) -> T:
    """``asyncio.run`` in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(work)


def measured_costs(members: Mapping[str, Engine], size: int, step_s: float) -> CostModel:
    """A cost model that saw members, each on its engine, take ``step_s`` a step on questions of ``size`` characters.

    One step after the other, with up to twenty waiting. The clock stands still afterwards.
    """
    now = [0.0]
    costs = CostModel(lambda: now[0])
    for _ in range(40):
        for member, engine in members.items():
            reservation = costs.queue(engine).reserve(member, size, 20)
            for _ in range(20):
                now[0] += step_s
                reservation.complete()
    return costs


@dataclass(eq=False)
class QueueEngine:
    """Computes up to ``batch`` waiting steps at a time, first come first served, and knows no answer.

    A batch takes ``latency_s`` and ``step_s`` for each of its steps. A cancelled step that has not begun is skipped.
    """

    step_s: float
    batch: int = 1
    latency_s: float = 0.0
    dtype: str = "float32"
    completed: int = 0
    most_waiting: int = 0
    tokenizer: CharTokenizer = field(default_factory=CharTokenizer)
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)
    _worker: asyncio.Task[None] | None = None

    async def next_token_logprobs(
        self, prompt: Sequence[int], candidates: Sequence[int], adapter: str | None = None
    ) -> list[float]:
        step: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(step)
        self.most_waiting = max(self.most_waiting, len(self._waiting))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        await step
        return [-1.0] * len(candidates)

    async def _work(self) -> None:
        while True:
            self._waiting = [step for step in self._waiting if not step.done()]
            batch, self._waiting = self._waiting[: self.batch], self._waiting[self.batch :]
            if not batch:
                break
            await asyncio.sleep(self.latency_s + len(batch) * self.step_s)
            for step in batch:
                if not step.done():
                    step.set_result(None)
                    self.completed += 1
        self._worker = None

    async def continuation_logprobs(
        self, prompt: Sequence[int], continuations: Sequence[Sequence[int]], adapter: str | None = None
    ) -> list[list[float]]:
        raise EngineError("the simulated engine knows letters only")

    async def generate(self, prompt: Sequence[int], **options: Any) -> Generation:
        raise EngineError("the simulated engine does not generate")

    async def check_health(self) -> None:
        return None

    async def close(self) -> None:
        return None
