"""What happens to every request before a route sees it, as plain ASGI: arrival time, stop, key, body limits."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agents.core.deadline import Clock
from agents.core.errors import BusyError, NotReadyError, TooLargeError, UnauthorizedError
from service.problems import problem_response

OPEN_PATHS = frozenset({"/", "/health", "/ready"})
"""Paths that need no key: probes have none, and the console page asks for it."""
OPEN_FOLDER = "/console/"
"""The page's own files, which hold no more than the page."""
MAX_HELD_BYTES = 256 << 20
"""Bounds the bodies of all requests in flight together: 4,096 single ones or 64 batches of the largest size."""
MAX_DISCARDED_BYTES = 16 << 20
"""Bounds the rest of a body that is read so that its client sees the refusal: four times the largest honest batch."""
DISCARD_SECONDS = 2.0
"""Bounds the time for that rest, which delays the response."""


class ArrivalMiddleware:
    """Notes the moment a request arrives, in seconds of ``clock``: every deadline counts from there. Goes outermost."""

    def __init__(self, app: ASGIApp, clock: Clock = time.monotonic) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope.setdefault("state", {})["arrived_s"] = self._clock()
        await self._app(scope, receive, send)


def arrived_s(request: Request) -> float:
    """When the request arrived, in seconds of ``time.monotonic``."""
    return float(request.state.arrived_s)


def announces_body(headers: Headers) -> bool:
    """Whether a request with these headers has a body, as it says."""
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


class StopMiddleware:
    """Answer 503 to a request whose work is cancelled since the server stops."""

    def __init__(self, app: ASGIApp, stopping: asyncio.Event) -> None:
        self._app = app
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, noted if scope["type"] == "http" else send)
        except asyncio.CancelledError:
            if scope["type"] != "http" or not self._stopping.is_set():
                raise
            if not started:
                error = NotReadyError("the service is stopping; send this again to the one that follows")
                await problem_response(error, scope)(scope, receive, send)


class DiscardMiddleware:
    """Read the rest of a body before a response that did not wait for it: a refusal.

    A server that closes a connection with bytes unread resets it, and the client may never see the response. Where the
    rest is over ``MAX_DISCARDED_BYTES`` or does not come within ``DISCARD_SECONDS``, the connection is closed.
    """

    def __init__(self, app: ASGIApp, discard_s: float = DISCARD_SECONDS) -> None:
        self._app = app
        self._discard_s = discard_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not announces_body(headers := Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        ended = False

        async def noted() -> Message:
            nonlocal ended
            message = await receive()
            ended = ended or not message.get("more_body", False)
            return message

        async def discard() -> None:
            left = MAX_DISCARDED_BYTES
            async with asyncio.timeout(self._discard_s):
                while not ended and left > 0:
                    left -= len((await noted()).get("body", b""))

        async def after_the_rest(message: Message) -> None:
            if message["type"] == "http.response.start" and not ended:
                # A client that waits for "100 Continue" has sent nothing, and one whose body was late had its time.
                if headers.get("expect") is None and message["status"] != HTTPStatus.REQUEST_TIMEOUT:
                    with suppress(TimeoutError):
                        await discard()
                if not ended:
                    MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        await self._app(scope, noted, after_the_rest)


class KeyMiddleware:
    """Turns away requests without ``Authorization: Bearer <key>``, except on ``OPEN_PATHS`` and in ``OPEN_FOLDER``."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app = app
        self._key = key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS or scope["path"].startswith(OPEN_FOLDER):
            await self._app(scope, receive, send)
            return
        scheme, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
        # Bytes, and compared in constant time: how long it takes tells nothing about the key.
        matches = secrets.compare_digest(key.strip().encode(), self._key)
        if scheme.lower() == "bearer" and matches:
            await self._app(scope, receive, send)
            return
        found = "another key" if scheme.lower() == "bearer" else "no bearer key"
        error = UnauthorizedError("Authorization", found, "Bearer and the service's key")
        await problem_response(error, scope)(scope, receive, send)


class BodyLimitMiddleware:
    """Refuses bodies over ``limit_bytes(path)``: by the declared length before anything is read, else while reading.

    What was declared is not trusted: the bytes that arrive are counted. All bodies in flight together may hold
    ``max_held_bytes``; a request that brings more is told to come back.
    """

    def __init__(self, app: ASGIApp, limit_bytes: Callable[[str], int], max_held_bytes: int = MAX_HELD_BYTES) -> None:
        self._app = app
        self._max_held_bytes = max_held_bytes
        self._held_bytes = 0
        self._limit_bytes = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit_bytes(scope["path"])
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared[:18]) > limit:
            await problem_response(_too_large(f"{declared[:18]} bytes", limit), scope)(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            size = len(message.get("body", b""))
            received += size
            self._held_bytes += size
            if received > limit:
                # Raised inside whoever reads the body, so it takes the way of every other error of a route.
                raise _too_large(f"more than {limit:,} bytes", limit)
            if self._held_bytes > self._max_held_bytes:
                raise BusyError("the bodies of other requests fill the memory for them; try again in 2 s", 2)
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._held_bytes -= received


def _too_large(found: str, limit: int) -> TooLargeError:
    return TooLargeError("body", found, f"at most {limit:,} bytes")
