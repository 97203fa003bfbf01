"""Batches beside single questions: few at a time, and their rows behind every single question."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from agents.core.deadline import Deadline
from agents.core.errors import BusyError

T = TypeVar("T")

BATCH_RETRY_SECONDS = 5
"""Retry-After of a refused batch: batches take from seconds to minutes, and asking again costs little."""


class BatchPlaces:
    """At most ``most`` batches in progress. For one event loop; ``count_refused`` is called for each refusal."""

    def __init__(self, most: int, count_refused: Callable[[], None]) -> None:
        self._most = most
        self._count_refused = count_refused
        self._taken = 0

    def check(self) -> None:
        """Raise BusyError when every place is taken. Takes none, so a body may be read after it."""
        if self._taken >= self._most:
            self._count_refused()
            message = f"{self._taken} batches are in progress, as many as may be (AIAC_MAX_BATCHES)"
            raise BusyError(f"{message}; try again in {BATCH_RETRY_SECONDS} s", BATCH_RETRY_SECONDS)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Surround the work on a batch, whose body has been read. Raises BusyError."""
        self.check()
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


class BatchRows:
    """The rows of batches in progress. Single questions stop those that are in their way, which then begin anew.

    ``last_s`` are the seconds before its deadline at which a row waits no longer for single questions.
    """

    def __init__(self, last_s: float) -> None:
        self._last_s = last_s
        self._singles = 0
        self._no_singles = asyncio.Event()
        self._no_singles.set()
        self._running: list[asyncio.Task[Any]] = []
        self._stopped: set[asyncio.Task[Any]] = set()

    @contextmanager
    def single(self) -> Iterator[None]:
        """Surround the work on a single question: no row begins meanwhile, unless its own time is running out."""
        self._singles += 1
        self._no_singles.clear()
        try:
            yield
        finally:
            self._singles -= 1
            if not self._singles:
                self._no_singles.set()

    async def stopped_rows(self) -> AsyncGenerator[None]:
        """Stop the rows in progress one by one, the last begun first. After each yield one row's steps are gone."""
        for task in reversed(list(self._running)):
            if task not in self._running:
                continue
            self._stopped.add(task)
            task.cancel()
            await asyncio.wait([task])
            yield

    async def run(self, answer: Callable[[], Coroutine[Any, Any, T]], deadline: Deadline) -> T:
        """Return what ``answer()`` returns, when its turn has come; called again whenever it was stopped."""
        while True:
            await self._turn(deadline)
            task = asyncio.create_task(answer())
            self._running.append(task)
            try:
                return await task
            except asyncio.CancelledError:
                # Either the row was stopped, or its batch was.
                current = asyncio.current_task()
                if task not in self._stopped or (current is not None and current.cancelling()):
                    raise
            finally:
                self._running.remove(task)
                self._stopped.discard(task)

    async def _turn(self, deadline: Deadline) -> None:
        try:
            async with asyncio.timeout(max(0.0, deadline.remaining_s() - self._last_s)):
                await self._no_singles.wait()
        except TimeoutError:
            return
