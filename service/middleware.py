"""What happens to every request before a route sees it, as plain ASGI: arrival time, key, body limit."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agents.core.deadline import Clock
from agents.core.errors import TooLargeError, UnauthorizedError
from service.problems import problem_response

OPEN_PATHS = frozenset({"/", "/health", "/ready"})
"""Paths that need no key: probes have none, and the console page asks for it."""
OPEN_FOLDER = "/console/"
"""The page's own files, which hold no more than the page."""


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

    What was declared is not trusted: the bytes that arrive are counted.
    """

    def __init__(self, app: ASGIApp, limit_bytes: Callable[[str], int]) -> None:
        self._app = app
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
            received += len(message.get("body", b""))
            if received > limit:
                # Raised inside whoever reads the body, so it takes the way of every other error of a route.
                raise _too_large(f"more than {limit:,} bytes", limit)
            return message

        await self._app(scope, counted, send)


def _too_large(found: str, limit: int) -> TooLargeError:
    return TooLargeError("body", found, f"at most {limit:,} bytes")
