"""Work that gives way: what fills the pool of questions begins a step only while no answer is in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Quiet = Callable[[], Awaitable[None]]
"""Returns when a step of background work may start."""
T = TypeVar("T")

POLL_SECONDS = 0.05
"""How often an engine in use is looked at again. A step that starts too late by this much costs nobody anything."""


async def at_once() -> None:
    """A ``Quiet`` for where nothing else is asked of the engines."""


def when_idle(in_flight: Callable[[], int], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> Quiet:
    """Waits until ``in_flight``, answers, is 0. Under a load that never ends it waits for ever."""

    async def quiet() -> None:
        while in_flight():
            await sleep(POLL_SECONDS)

    return quiet


class Foreground:
    """Who waits for an engine now. For one event loop."""

    def __init__(self) -> None:
        self._waiting = 0
        self._busy = asyncio.Event()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Somebody waits for what is done inside."""
        self._waiting += 1
        self._busy.set()
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._busy.clear()

    @property
    def busy(self) -> bool:
        return self._busy.is_set()

    async def begins(self) -> None:
        """Returns once somebody waits."""
        await self._busy.wait()


class InterruptedWorkError(Exception):
    """What was to stop the work came before its end."""


async def unless(event: Callable[[], Awaitable[None]], work: Awaitable[T]) -> T:
    """What ``work`` gives, which begins at once. Raises InterruptedWorkError when ``event`` ends first.

    ``work`` is cancelled then, and has ended.
    """
    limit = asyncio.timeout(None)

    async def watch() -> None:
        await event()
        limit.reschedule(0.0)

    try:
        async with limit:
            watching = asyncio.create_task(watch())
            try:
                return await work
            finally:
                watching.cancel()
    except TimeoutError:
        if not limit.expired():
            raise
        raise InterruptedWorkError from None
