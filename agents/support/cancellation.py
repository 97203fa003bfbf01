"""Cancel work when an event comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


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
