"""Wait for a condition that sets no event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

GUARD_S = 10


async def until(condition: Callable[[], bool], *, guard_s: float = GUARD_S, pause_s: float = 0.0) -> None:
    """Let other tasks run until ``condition`` holds. Raises TimeoutError when it does not hold in time.

    It checks every ``pause_s``. The default checks at each turn of the loop, which leaves other processes no core.
    """
    async with asyncio.timeout(guard_s):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(pause_s)
