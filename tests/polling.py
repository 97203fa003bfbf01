"""Waiting for what nothing tells of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

GUARD_S = 10


async def until(condition: Callable[[], bool]) -> None:
    """Lets everything else run until ``condition`` holds. Raises TimeoutError when it does not come to hold."""
    async with asyncio.timeout(GUARD_S):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
