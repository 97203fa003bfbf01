"""Middleware that every request passes before its route."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agents.core.errors import BusyError
from service.middleware import BodyLimitMiddleware, DiscardMiddleware, StopMiddleware

pytestmark = pytest.mark.anyio


def scope(**headers: str) -> dict[str, Any]:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": "POST", "path": "/answer", "headers": pairs}


class Exchange:
    """What one request sends, a part at a time and then nothing, and what it gets."""

    def __init__(self, *parts: bytes, ends: bool = True) -> None:
        last = len(parts) - 1
        self.waiting = [
            {"type": "http.request", "body": part, "more_body": not (ends and place == last)}
            for place, part in enumerate(parts)
        ]
        self.sent: list[Any] = []

    async def receive(self) -> Any:
        if not self.waiting:
            await asyncio.Event().wait()
        return self.waiting.pop(0)

    async def send(self, message: Any) -> None:
        self.sent.append(message)


async def test_all_bodies_together_are_bounded_until_their_requests_end() -> None:
    reading, done = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        reading.set()
        await done.wait()

    bounded = BodyLimitMiddleware(app, lambda path: 100, max_held_bytes=150)
    first = Exchange(b"x" * 100)
    holding = asyncio.create_task(bounded(scope(), first.receive, first.send))
    await reading.wait()
    second = Exchange(b"x" * 60)
    with pytest.raises(BusyError, match="memory"):
        await bounded(scope(), second.receive, second.send)
    done.set()
    await holding
    third = Exchange(b"x" * 100)
    await bounded(scope(), third.receive, third.send)


async def refusing(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 401, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(
    ("ends", "headers", "left", "closes"),
    [
        (True, {"content_length": "4"}, 0, False),
        (False, {"content_length": "9"}, 0, True),
        (True, {"content_length": "4", "expect": "100-continue"}, 2, True),
        (True, {}, 2, False),
    ],
    ids=["read", "stalls", "asks first", "no body"],
)
async def test_a_refusal_waits_for_the_rest_of_a_body(ends: bool, headers: Any, left: int, closes: bool) -> None:
    exchange = Exchange(b"ab", b"cd", ends=ends)
    await DiscardMiddleware(refusing, 0.05)(scope(**headers), exchange.receive, exchange.send)
    assert len(exchange.waiting) == left
    assert ((b"connection", b"close") in exchange.sent[0]["headers"]) is closes


async def test_only_a_stop_turns_a_cancelled_request_into_503() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise asyncio.CancelledError

    stopping, exchange = asyncio.Event(), Exchange()
    guarded = StopMiddleware(app, stopping)
    with pytest.raises(asyncio.CancelledError):
        await guarded(scope(), exchange.receive, exchange.send)
    assert not exchange.sent
    stopping.set()
    await guarded(scope(), exchange.receive, exchange.send)
    assert exchange.sent[0]["status"] == 503
