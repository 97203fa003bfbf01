"""In a burst, the refusal of one request holds for those right behind it, before anything of them is read.

Reading a question and predicting its answer takes most of a millisecond of the event loop. Ten thousand at once kept it
from everything else for seven seconds, and what had been let in before was late.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container

from starlette.types import ASGIApp, Receive, Scope, Send

from agents.core.deadline import Clock
from agents.core.errors import BusyError
from service.problems import problem_response

HOLD_SECONDS = 0.1
"""For which nothing that matters changes on an engine with seconds of work queued."""


class LastRefusal:
    """That of the last request which had all the time there is and yet was one too many."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._error: BusyError | None = None
        self._until_s = 0.0

    def hold(self, error: BusyError) -> None:
        """From now on, for ``HOLD_SECONDS``."""
        self._error, self._until_s = error, self._clock() + HOLD_SECONDS

    def lift(self) -> None:
        """Something was answered or given up, so that there may be room again."""
        self._error = None

    @property
    def error(self) -> BusyError | None:
        """That refusal while it holds."""
        return self._error if self._clock() < self._until_s else None


class SheddingMiddleware:
    """Answers what is posted to ``paths`` with ``refusal`` while that holds, and calls ``count`` each time."""

    def __init__(self, app: ASGIApp, refusal: LastRefusal, paths: Container[str], count: Callable[[], None]) -> None:
        self._app = app
        self._refusal = refusal
        self._paths = paths
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in self._paths:
            error = self._refusal.error
            if error is not None:
                self._count()
                await problem_response(error, scope)(scope, receive, send)
                return
        await self._app(scope, receive, send)
