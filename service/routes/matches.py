"""GET /matches and the events of one as they happen: server-sent events out of the log that a match writes.

The scoreboard is folded here, by a ``MatchBoard`` that whoever makes the app hands in, and sent beside the events.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Header, Request
from pydantic import WithJsonSchema
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from agents.core.errors import AiacError, BusyError, InputError, describe, first_line
from service import schemas
from service.json_http import JsonResponse
from service.match_keys import HiddenKeys
from service.match_logs import LogTail, MatchLogs
from service.openapi import problems

logger = logging.getLogger(__name__)

MAX_STREAMS = 32
"""Matches followed at a time: each looks at its file a few times a second."""
PAUSE_S = 0.25
KEEP_ALIVE_S = 15.0
"""Silence after which a comment is sent: proxies close what says nothing, often after a minute."""
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def last_event(
    header: Annotated[
        str | None,
        Header(alias="Last-Event-ID", description="The id of the last event seen: the stream goes on after it."),
        WithJsonSchema({"type": "integer", "minimum": 0}),
    ] = None,
) -> int:
    """Bytes of the log that were seen. Raises InputError that names the header."""
    if header is None:
        return 0
    if not re.fullmatch("[0-9]{1,15}", header):
        raise InputError("Last-Event-ID", describe(header), "the id of an event of this match")
    return int(header)


class MatchBoard(Protocol):
    """Folds the events of one match into its scoreboard."""

    def apply(self, event: Mapping[str, Any]) -> None:
        """Take the next event in. Raises ValueError for an object that is no event."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return the board as JSON values."""
        ...


MakeBoard = Callable[[], MatchBoard]


class BoardMessages:
    """The board of one stream, as messages. A log that its fold cannot read is streamed without boards."""

    def __init__(self, board: MatchBoard | None) -> None:
        self._board = board
        self._changed = False

    def apply(self, event: Mapping[str, Any]) -> None:
        """Take the next event in."""
        if self._board is None:
            return
        try:
            self._board.apply(event)
        except ValueError as error:
            logger.warning("a match is shown without its scoreboard: %s", first_line(error))
            self._board = None
        self._changed = True

    def replay(self, path: Path, offset: int) -> None:
        """Take in the events before ``offset``. Raises as ``LogTail`` does."""
        seen = LogTail(path)
        while self._board is not None and seen.offset < offset and (lines := seen.read()):
            for end, event in lines:
                if end <= offset:
                    self.apply(event)

    def changed(self) -> list[bytes]:
        """Return the message with the board if it has changed since the last one."""
        if self._board is None or not self._changed:
            return []
        self._changed = False
        return [_message("board", self._board.to_json())]


class MatchStreams:
    """The events of logs in ``folder`` as text/event-stream, at most ``MAX_STREAMS`` at once, until ``stopping``.

    ``make_board`` makes the scoreboard of a match; without it only events are sent.
    """

    def __init__(self, folder: Path, stopping: asyncio.Event, make_board: MakeBoard | None = None) -> None:
        self.logs = MatchLogs(folder)
        self._stopping = stopping
        self._make_board = make_board
        self._open = 0

    async def open(self, request: Request, name: str, offset: int) -> Response:
        """The response that streams a match. Raises UnknownMatchError, InputError, BusyError."""
        tail = await asyncio.to_thread(lambda: LogTail(self.logs.path(name), offset))
        if self._open >= MAX_STREAMS:
            raise BusyError(f"{MAX_STREAMS} matches are being followed, as many as may be; try again in 5 s", 5)
        # Counted here and not where the stream begins: between the two, others would see the place as free.
        self._open += 1
        return _Stream(self._events(request, tail), self._closed)

    def _closed(self) -> None:
        self._open -= 1

    async def _events(self, request: Request, tail: LogTail) -> AsyncIterator[bytes]:
        spoke_s = time.monotonic()
        try:
            # Sent at once, so that the client sees an open stream of a match in which nothing happens.
            yield b": open\n\n"
            keys = HiddenKeys()
            await asyncio.to_thread(keys.read, tail.path)
            board = BoardMessages(self._make_board() if self._make_board else None)
            await asyncio.to_thread(board.replay, tail.path, tail.offset)
            async for line in tail.follow(PAUSE_S):
                if self._stopping.is_set() or await request.is_disconnected():
                    return
                if line is None:
                    # All that is there has been sent: a long log gets one board and not one an event.
                    for message in board.changed():
                        yield message
                    if time.monotonic() - spoke_s >= KEEP_ALIVE_S:
                        spoke_s = time.monotonic()
                        yield b": still here\n\n"
                    continue
                spoke_s = time.monotonic()
                yield _message("event", keys.shown(line[1]), line[0])
                keys.apply(line[1])
                board.apply(line[1])
                if line[1].get("type") == "match_ended":
                    for message in board.changed():
                        yield message
                    return
        except AiacError as error:
            yield _message("problem", {"detail": str(error)})


class _Stream(StreamingResponse):
    """A stream that calls ``closed`` once it has ended, also where its client was gone before it began."""

    def __init__(self, content: AsyncIterator[bytes], closed: Callable[[], None]) -> None:
        super().__init__(content, media_type="text/event-stream", headers=STREAM_HEADERS)
        self._closed = closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._closed()


def _message(kind: str, content: Mapping[str, Any], number: int | None = None) -> bytes:
    # In ASCII and therefore in one line, whatever text is in it.
    data = f"event: {kind}\ndata: {json.dumps(content, separators=(',', ':'))}\n\n"
    return (data if number is None else f"id: {number}\n{data}").encode()


def matches_router(folder: Path, stopping: asyncio.Event, make_board: MakeBoard | None) -> APIRouter:
    """The routes that show matches."""
    router = APIRouter(tags=["matches"])
    streams = MatchStreams(folder, stopping, make_board)

    @router.get("/matches", summary="The matches that are logged here", response_model=schemas.Matches)
    async def matches() -> Response:
        return JsonResponse({"matches": await asyncio.to_thread(streams.logs.entries)})

    @router.get(
        "/matches/{name}/events",
        summary="A match as it happens, as server-sent events",
        description="`event` messages are the lines of the log. A `board` message is the scoreboard after them: "
        "questions, score by side, and each innings.",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}, **problems(404, 422, 503)},
    )
    async def events(request: Request, name: str, seen: Annotated[int, Depends(last_event)]) -> Response:
        return await streams.open(request, name, seen)

    return router
