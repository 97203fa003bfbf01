"""Work that gives way: what fills the pool of questions begins a step only while no answer is in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

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


async def unless(event: Coroutine[Any, Any, None], work: Coroutine[Any, Any, T]) -> T:
    """What ``work`` gives. Raises InterruptedWorkError, with ``work`` cancelled, when ``event`` ends first."""
    working, watching = asyncio.ensure_future(work), asyncio.ensure_future(event)
    try:
        await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise InterruptedWorkError
        return working.result()
    finally:
        working.cancel()
        watching.cancel()
