"""GET /matches and the events of one as they happen: server-sent events out of the log that a match writes."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from pydantic import WithJsonSchema
from starlette.responses import Response, StreamingResponse

from agents.core.errors import AiacError, BusyError, InputError, describe
from service import schemas
from service.json_http import JsonResponse
from service.match_logs import LogTail, MatchLogs
from service.openapi import problems

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


class MatchStreams:
    """The events of logs in ``folder`` as text/event-stream, at most ``MAX_STREAMS`` at once, until ``stopping``."""

    def __init__(self, folder: Path, stopping: asyncio.Event) -> None:
        self.logs = MatchLogs(folder)
        self._stopping = stopping
        self._open = 0

    async def open(self, request: Request, name: str, offset: int) -> Response:
        """The response that streams a match. Raises UnknownMatchError, InputError, BusyError."""
        tail = await asyncio.to_thread(lambda: LogTail(self.logs.path(name), offset))
        if self._open >= MAX_STREAMS:
            raise BusyError(f"{MAX_STREAMS} matches are being followed, as many as may be; try again in 5 s", 5)
        return StreamingResponse(self._events(request, tail), media_type="text/event-stream", headers=STREAM_HEADERS)

    async def _events(self, request: Request, tail: LogTail) -> AsyncIterator[bytes]:
        self._open += 1
        spoke_s = time.monotonic()
        try:
            # Sent at once, so that the client sees an open stream of a match in which nothing happens.
            yield b": open\n\n"
            async for line in tail.follow(PAUSE_S):
                if self._stopping.is_set() or await request.is_disconnected():
                    return
                if line is None:
                    if time.monotonic() - spoke_s >= KEEP_ALIVE_S:
                        spoke_s = time.monotonic()
                        yield b": still here\n\n"
                    continue
                spoke_s = time.monotonic()
                yield _message("event", line[1], line[0])
                if line[1].get("type") == "match_ended":
                    return
        except AiacError as error:
            yield _message("problem", {"detail": str(error)})
        finally:
            self._open -= 1


def _message(kind: str, content: dict[str, Any], number: int | None = None) -> bytes:
    # In ASCII and therefore in one line, whatever text is in it.
    data = f"event: {kind}\ndata: {json.dumps(content, separators=(',', ':'))}\n\n"
    return (data if number is None else f"id: {number}\n{data}").encode()


def matches_router(folder: Path, stopping: asyncio.Event) -> APIRouter:
    """The routes that show matches."""
    router = APIRouter(tags=["matches"])
    streams = MatchStreams(folder, stopping)

    @router.get("/matches", summary="The matches that are logged here", response_model=schemas.Matches)
    async def matches() -> Response:
        return JsonResponse({"matches": await asyncio.to_thread(streams.logs.entries)})

    @router.get(
        "/matches/{name}/events",
        summary="A match as it happens, as server-sent events",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}, **problems(404, 422, 503)},
    )
    async def events(request: Request, name: str, seen: Annotated[int, Depends(last_event)]) -> Response:
        return await streams.open(request, name, seen)

    return router
