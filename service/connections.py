"""Connections with bounds: their number, the bytes of a request's head, and the time for it.

h11 parses, also where httptools is installed: h11 bounds what it holds of a head, and httptools bounds nothing.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import h11
from starlette.datastructures import MutableHeaders
from uvicorn.protocols.http.h11_impl import H11Protocol

from agents.core.errors import AiacError, BusyError, LateBodyError
from service.problems import problem_of_status, problem_response

MAX_HEAD_BYTES = 16_384
"""Bounds a request's line and headers. Ours have under 1 kB; browsers send up to 8 kB of cookies."""
HEAD_SECONDS = 10.0
"""Bounds the time from a connection's begin, or from the last response, to the end of the next head. An idle
connection is closed after 5 s, so this leaves as long for the head itself."""
STALLED_SECONDS = 30.0
"""Bounds the time for which a client may read nothing of what is sent to it."""
SPARED_SECONDS = 1.0
"""A connection that has been idle for less is not closed to make room: in a burst its request is on the way."""
REFUSED_SECONDS = 2.0
"""Bounds the time in which what a refused client still sends is discarded, so that it can read the refusal."""
MAX_TURNED_AWAY = 64
"""Bounds the connections over the limit that get a refusal at a time: each is an open file. The others are closed."""
MAX_DISCARDED_BYTES = 16 << 20
"""Bounds what is discarded of a refused client; any honest body is smaller."""


@dataclass
class ConnectionLimits:
    """The limits of one server, and its connections that wait for a head, the longest first."""

    connections: int
    head_s: float = HEAD_SECONDS
    stalled_s: float = STALLED_SECONDS
    spared_s: float = SPARED_SECONDS
    idle: dict[BoundedProtocol, float] = field(default_factory=dict)
    turned_away: set[BoundedProtocol] = field(default_factory=set)
    """Those that were over the limit, and still have a refusal to read."""


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol with ``ConnectionLimits``."""

    def __init__(self, *args: Any, limits: ConnectionLimits, **options: Any) -> None:
        super().__init__(*args, **options)
        self._limits = limits
        self._head_timer: asyncio.TimerHandle | None = None
        self._stalled_timer: asyncio.TimerHandle | None = None
        self._discarded: int | None = None
        """Bytes discarded since the refusal; None before one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections and not self._make_room():
            self._turn_away()
        else:
            self._await_head()

    def data_received(self, data: bytes) -> None:
        if self._discarded is not None:
            self._discarded += len(data)
            if self._discarded > MAX_DISCARDED_BYTES:
                self.transport.abort()
            return
        super().data_received(data)
        if self._request_in_progress():
            self._head_arrived()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # A request that was sent ahead has begun by now.
        if not self._request_in_progress():
            self._await_head()

    def send_400_response(self, msg: str) -> None:
        # uvicorn calls this while it handles the parser's error, and drops the status that this suggests.
        error = sys.exc_info()[1]
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        self._refuse(status)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled_timer = self.loop.call_later(self._limits.stalled_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._cancel_timers(stalled=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_arrived()
        self._cancel_timers(stalled=True)
        self._limits.turned_away.discard(self)
        super().connection_lost(exc)

    def shutdown(self) -> None:
        if self._discarded is not None:
            self.transport.abort()
        else:
            super().shutdown()

    def _request_in_progress(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_head(self) -> None:
        self._head_arrived()
        self._limits.idle[self] = time.monotonic()
        self._head_timer = self.loop.call_later(self._limits.head_s, self._head_is_late)

    def _head_arrived(self) -> None:
        self._limits.idle.pop(self, None)
        self._cancel_timers()

    def _cancel_timers(self, *, stalled: bool = False) -> None:
        timer = self._stalled_timer if stalled else self._head_timer
        if timer is not None:
            timer.cancel()

    def _head_is_late(self) -> None:
        if self.transport.is_closing():
            self.transport.abort()
        elif self.conn.trailing_data[0] and self.conn.their_state is h11.IDLE:
            within = f"all of it within {self._limits.head_s:g} s"
            self._refuse(LateBodyError("head", "a request that does not end its headers", within))
        else:
            self._head_arrived()
            self.transport.close()

    def _make_room(self) -> bool:
        """Close the connection that has been idle for longest. False when none has been for ``spared_s``."""
        for longest, since_s in self._limits.idle.items():
            if time.monotonic() - since_s < self._limits.spared_s:
                return False
            longest._head_arrived()
            longest.transport.abort()
            return True
        return False

    def _turn_away(self) -> None:
        """Refuse the connection, which takes no place meanwhile."""
        self.connections.discard(self)
        if len(self._limits.turned_away) >= MAX_TURNED_AWAY:
            self.transport.abort()
            return
        self._limits.turned_away.add(self)
        most = self._limits.connections
        self._refuse(BusyError(f"{most:,} connections are open, as many as may be; try again in 1 s", 1))

    def _refuse(self, reason: AiacError | int) -> None:
        """Send a problem, then discard what still comes: closing at once would cut the problem off."""
        self._head_arrived()
        self._discarded = 0
        in_progress = self._request_in_progress()
        if in_progress:
            # Its body broke off in the middle of what cannot be parsed.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if in_progress and self.cycle.response_started:
            self.transport.abort()
            return
        scope = {"path": "/"}
        response = problem_of_status(reason, scope) if isinstance(reason, int) else problem_response(reason, scope)
        headers = MutableHeaders(raw=response.raw_headers)
        headers["connection"] = "close"
        lines = [b"%s: %s" % pair for pair in headers.raw]
        status = HTTPStatus(response.status_code)
        first = f"HTTP/1.1 {status.value} {status.phrase}".encode()
        self.transport.write(b"\r\n".join([first, *lines, b"", bytes(response.body)]))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._head_timer = self.loop.call_later(REFUSED_SECONDS, self.transport.abort)
