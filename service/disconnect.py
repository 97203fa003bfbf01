"""Work for a client that is gone is stopped."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from agents.support.concurrency import InterruptedWorkError, cancel_on

T = TypeVar("T")


async def while_connected(request: Request, work: Awaitable[T]) -> T:
    """What ``work`` returns. Raises ClientDisconnect, with ``work`` cancelled, when the client hangs up before.

    A server tells an application of that by a message alone, so somebody has to listen for it. The body must have been
    read: its messages would be lost here.
    """
    try:
        return await cancel_on(partial(_disconnected, request.receive), work)
    except InterruptedWorkError:
        raise ClientDisconnect from None


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
