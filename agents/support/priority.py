"""Priorities on the engines: answers first, then questions that someone waits for, then what fills the pool."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import TypeVar

from agents.support.concurrency import cancel_on

T = TypeVar("T")


class Priority(IntEnum):
    """The lower number goes first."""

    ANSWER = 0
    QUESTION = 1
    """A question that someone waits for."""
    BACKGROUND = 2
    """A question that will wait in the pool."""


class PriorityGate:
    """Hold work back, or cancel it, while work of a higher priority is in progress. For one event loop."""

    def __init__(self) -> None:
        self._running = dict.fromkeys(Priority, 0)
        self._free = {priority: asyncio.Event() for priority in Priority}
        self._blocked = {priority: asyncio.Event() for priority in Priority}
        self._update()

    @contextmanager
    def running(self, priority: Priority) -> Iterator[None]:
        """Count the block as work in progress."""
        self._running[priority] += 1
        self._update()
        try:
            yield
        finally:
            self._running[priority] -= 1
            self._update()

    def count(self, priority: Priority) -> int:
        """Return how much work of this very priority is in progress."""
        return self._running[priority]

    def blocked(self, priority: Priority) -> bool:
        """Return whether work of a higher priority is in progress."""
        return any(self._running[higher] for higher in Priority if higher < priority)

    async def turn(self, priority: Priority) -> None:
        """Return once nothing of a higher priority is in progress. Under a load that never ends it never returns."""
        while self.blocked(priority):
            await self._free[priority].wait()

    async def preemptible(self, priority: Priority, work: Awaitable[T]) -> T:
        """Return the result of ``work``. Raises InterruptedWorkError when work of a higher priority begins first.

        ``work`` has been cancelled and has ended by then. Check ``blocked`` before: ``work`` begins at once.
        """
        return await cancel_on(self._blocked[priority].wait, work)

    def _update(self) -> None:
        for priority in Priority:
            blocked = self.blocked(priority)
            for event, happened in ((self._blocked[priority], blocked), (self._free[priority], not blocked)):
                if happened:
                    event.set()
                else:
                    event.clear()
