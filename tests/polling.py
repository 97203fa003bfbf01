"""Waiting for what nothing tells of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

GUARD_S = 10


async def until(condition: Callable[[], bool], *, guard_s: float = GUARD_S, pause_s: float = 0.0) -> None:
    """Lets everything else run until ``condition`` holds. Raises TimeoutError when it does not come to hold.

    It looks every ``pause_s``: at each turn of the loop, which leaves other processes no core, unless told otherwise.
    """
    async with asyncio.timeout(guard_s):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(pause_s)
