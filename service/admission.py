"""Refusals for load: 503 with Retry-After.

A request is refused when so much work is queued that it would be late. During a burst, one refusal is reused for the
requests that follow, without reading their bodies. Reading a question and predicting its answer takes most of a
millisecond of the event loop; ten thousand at once blocked everything else for seven seconds, and admitted requests
were late.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager

from starlette.types import ASGIApp, Receive, Scope, Send

from agents.answering.answerer import Answerer
from agents.core.deadline import Clock, Deadline
from agents.core.errors import BusyError
from agents.core.schema import Question
from service.problems import problem_response

REUSE_SECONDS = 0.1
"""A refusal is reused for this long: with seconds of work queued, nothing that matters changes sooner."""
MAX_WAITING = 128
"""Requests that may wait for their questions at a time. One that is made now takes 8 to 15 ms (p50): so many are ready
well within the shortest limit of an edition, and many more would make all of them late."""


class Admission:
    """Admit or refuse requests of one kind, those posted to ``paths``. For one event loop.

    ``count_refused`` is called for each refusal, the reused ones included.
    """

    def __init__(self, paths: Container[str], count_refused: Callable[[], None], clock: Clock = time.monotonic) -> None:
        self.in_flight = 0
        """Pieces of work ``in_progress``."""
        self._paths = paths
        self._count_refused = count_refused
        self._clock = clock
        self._refusal: BusyError | None = None
        self._until_s = 0.0

    def admit(self, refusal: BusyError | None, *, reuse: bool = True) -> None:
        """Raise ``refusal`` if there is one; with ``reuse`` it also holds for the requests that follow."""
        if refusal is None:
            return
        self._count_refused()
        if reuse:
            self._refusal, self._until_s = refusal, self._clock() + REUSE_SECONDS
        raise refusal

    def reused_refusal(self, path: str) -> BusyError | None:
        """Return the refusal that holds for a request to ``path`` now, and count it."""
        if self._refusal is None or path not in self._paths or self._clock() >= self._until_s:
            return None
        self._count_refused()
        return self._refusal

    @contextmanager
    def in_progress(self) -> Iterator[None]:
        """Count the block as in flight. Its end may make room, so no refusal is reused afterwards."""
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            self._refusal = None


class AdmissionMiddleware:
    """Answer with the refusal that holds, before anything of the request is read."""

    def __init__(self, app: ASGIApp, admissions: Sequence[Admission]) -> None:
        self._app = app
        self._admissions = admissions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            for admission in self._admissions:
                refusal = admission.reused_refusal(scope["path"])
                if refusal is not None:
                    await problem_response(refusal, scope)(scope, receive, send)
                    return
        await self._app(scope, receive, send)


def late_answer(answerer: Answerer, question: Question, deadline: Deadline) -> BusyError | None:
    """Return the refusal of a question for which not even the cheapest rung of any engine fits before ``deadline``.

    Its ``retry_after_s`` is the whole seconds until that rung would fit, at least 1. This also bounds how many
    questions are in flight: each has at least one step queued, and only as many are admitted as the engines can
    process in the time of one question. Await nothing between this and ``Answerer.answer``, or others would be
    admitted on the same prediction.

    Questions that waiting cannot help are not refused: the deadline has passed, or the engine is idle but too slow.
    Questions of a batch are not refused either, so do not ask for them. The later ones have later deadlines: each takes
    the rung that fits when its turn comes, and where none fits it gets the prior's answer.
    """
    shortfall_s = answerer.shortfall_s(question, deadline)
    if shortfall_s <= 0:
        return None
    retry_after_s = max(1, math.ceil(shortfall_s))
    return BusyError(
        f"{answerer.wait_s():.1f} s of work is queued, too much to answer in the {deadline.remaining_s():.1f} s "
        f"that are left; try again in {retry_after_s} s",
        retry_after_s,
    )


def too_many_waiting(waiting: int) -> BusyError | None:
    """Return the refusal of a request for questions while ``MAX_WAITING`` others wait."""
    if waiting < MAX_WAITING:
        return None
    return BusyError(f"{waiting} requests wait for questions already; try again in 1 s", 1)
