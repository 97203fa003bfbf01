"""Coroutines that run at the same time, and are cancelled together or when an event comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def run_together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Return all results, in order; the first failure cancels the others."""
    tasks = [asyncio.create_task(item) for item in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        await cancel_all(tasks)


async def cancel_all(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel the tasks that still run, and return when all have ended: a connection is closed by then."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class InterruptedWorkError(Exception):
    """Raised when the event comes before the work ends."""


async def cancel_on(event: Callable[[], Awaitable[object]], work: Awaitable[T]) -> T:
    """Return the result of ``work``, which begins at once. Raises InterruptedWorkError when ``event`` ends first.

    ``work`` has been cancelled and has ended by then.
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
