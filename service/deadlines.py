"""When a request arrived, and the deadlines that follow from it and from its X-Deadline-Ms header."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request
from pydantic import WithJsonSchema

from agents.core.deadline import Deadline, DeadlinePolicy
from agents.core.errors import InputError, LateBodyError, describe
from service.middleware import arrived_s

HEADER = "X-Deadline-Ms"
MAX_DEADLINE_MS = 600_000
LEAST_BODY_SECONDS = 1.0
"""A body has this long even where a client allows less: its bytes follow the head's in milliseconds, if they follow."""


@dataclass(frozen=True)
class RequestTime:
    """A request's arrival, and the time that its client allows for all of it."""

    arrived_s: float
    """A time of ``time.monotonic``."""
    allowed_ms: int | None = None
    """Milliseconds from the arrival; None without the header."""

    def deadline(self, policy: DeadlinePolicy, position: int = 0) -> Deadline:
        """Return the deadline of question ``position`` (from 0): the policy's, or the client's if that is earlier."""
        due = policy.deadline(self.arrived_s, position)
        if self.allowed_ms is None:
            return due
        return due.earlier_of(Deadline(self.arrived_s + self.allowed_ms / 1000))

    def elapsed_s(self) -> float:
        """Return the seconds since the arrival."""
        return time.monotonic() - self.arrived_s


async def request_time(
    request: Request,
    header: Annotated[
        str | None,
        Header(
            alias=HEADER,
            description="Milliseconds from the request's arrival by which to answer. It may only shorten the "
            "edition's limit. In a batch it bounds all of it.",
        ),
        WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_DEADLINE_MS}),
    ] = None,
) -> RequestTime:
    """Read the header. Raises InputError that names it."""
    # A coroutine, though it waits for nothing: FastAPI runs a plain function on a thread, one of forty.
    # Spaces around a value are no part of it (RFC 9110, section 5.5); not every parser takes them away.
    return RequestTime(arrived_s(request), None if header is None else _milliseconds(header.strip(" \t")))


Timing = Annotated[RequestTime, Depends(request_time)]
"""For a route's parameter."""


async def read_body(request: Request, timing: RequestTime, policy: DeadlinePolicy) -> bytes:
    """Return the body of a request. Raises LateBodyError when it is not there by the deadline of one question."""
    due_s = max(timing.deadline(policy).at_s, timing.arrived_s + LEAST_BODY_SECONDS)
    try:
        async with asyncio.timeout(due_s - time.monotonic()):
            return await request.body()
    except TimeoutError:
        found = f"{timing.elapsed_s():.1f} s without the end of the body"
        raise LateBodyError("body", found, f"all of it within {due_s - timing.arrived_s:.1f} s") from None


def _milliseconds(header: str) -> int:
    value = int(header) if re.fullmatch("[0-9]{1,9}", header) else 0
    if not 1 <= value <= MAX_DEADLINE_MS:
        raise InputError(HEADER, describe(header), f"a whole number of milliseconds from 1 to {MAX_DEADLINE_MS:,}")
    return value
