"""HTTP clients that put load on a service, and the result of one request.

All times are the event loop's, so that a test may run in simulated time.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from json import dumps
from typing import Any, Literal, Protocol

import httpx

from agents.core.schema import Question

ResultKind = Literal["on_time", "late", "refused", "unavailable", "server_error", "failed"]
"""Kinds of a result; each request is exactly one.

``on_time`` and ``late`` were answered, within the limit or after it. ``refused`` is a 503 for load, ``unavailable`` any
other 503, ``server_error`` another 5xx. ``failed`` had no response, or a status that no sound request should get."""

BUSY = "urn:aiac:error:busy"
CONNECT_AT_ONCE = 100
"""Connections opened at the same time; a server's backlog of those not accepted yet must not overflow."""
_REPLY = re.compile(rb"HTTP/1\.1 (\d{3}) .*?^content-length: *(\d+)\r$", re.DOTALL | re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class RequestResult:
    """The result of one request. ``status`` is 0 without a response; ``votes`` counts the members that voted."""

    latency_s: float
    status: int
    busy: bool = False
    degraded: bool = False
    votes: int = 0

    @property
    def complete(self) -> bool:
        return self.status == 200 and not self.degraded

    def kind(self, limit_s: float) -> ResultKind:
        if self.status == 200:
            return "on_time" if self.latency_s <= limit_s else "late"
        if self.status == 503:
            return "refused" if self.busy else "unavailable"
        return "server_error" if self.status >= 500 else "failed"


class Poster(Protocol):
    """The interface of an ``httpx.AsyncClient`` and a ``LeanClient``. Raises httpx.HTTPError."""

    async def post(self, url: str, *, json: Any) -> httpx.Response: ...


class LeanClient:
    """POST JSON over kept-alive connections to one server of our own.

    Client and service share a processor, so the client's own time counts as the service's. CPU time a request, measured
    on one core: 74 us here, 139 us with aiohttp, 688 us with httpx. Neither of those can open connections beforehand.
    """

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    @classmethod
    def to(cls, url: str) -> LeanClient:
        """Return a client of the server at ``url``."""
        address = httpx.URL(url)
        return cls(address.host, address.port or 80)

    async def connect(self, connections: int) -> None:
        """Open ``connections`` more, so that as many requests at once need not wait for one. Raises OSError."""
        while connections > 0:
            number = min(connections, CONNECT_AT_ONCE)
            self._idle += await asyncio.gather(*(asyncio.open_connection(*self._address) for _ in range(number)))
            connections -= number

    async def post(self, url: str, *, json: Any) -> httpx.Response:
        """Send one request; ``url`` may be a path.

        Raises httpx.ReadError when the server hangs up or does not speak HTTP.
        """
        body = dumps(json).encode()
        head = f"POST {httpx.URL(url).raw_path.decode()} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"
        reader, writer = await self._connection()
        try:
            writer.write(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            found = _REPLY.match(await reader.readuntil(b"\r\n\r\n"))
            if found is None:
                raise httpx.ReadError("a reply without a status or a length")
            response = httpx.Response(int(found[1]), content=await reader.readexactly(int(found[2])))
        except BaseException as error:
            await _closed(writer)
            if isinstance(error, OSError | EOFError):
                raise httpx.ReadError(str(error)) from error
            raise
        self._idle.append((reader, writer))
        return response

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            # A server closes what has been idle for some seconds.
            await _closed(writer)
        return await asyncio.open_connection(*self._address)

    async def aclose(self) -> None:
        for _, writer in self._idle:
            await _closed(writer)
        self._idle.clear()


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


class LoadClient:
    """Ask the service at ``url`` in detail, over as many connections as there are requests in flight."""

    def __init__(self, poster: Poster, url: str) -> None:
        self._poster = poster
        self._url = url

    async def answer(self, question: Question) -> RequestResult:
        body = {"question": question.text, "choices": list(question.choices)}
        return await self._timed_post("/answer?detail=true", body)

    async def question(self, body: Mapping[str, Any]) -> RequestResult:
        return await self._timed_post("/question?detail=true", body)

    async def _timed_post(self, path: str, body: Mapping[str, Any]) -> RequestResult:
        started = now_s()
        try:
            response = await self._poster.post(self._url + path, json=body)
        except httpx.HTTPError:
            return RequestResult(now_s() - started, 0)
        latency_s = now_s() - started
        if response.status_code != 200:
            return RequestResult(latency_s, response.status_code, busy=BUSY in response.text)
        found = response.json()
        votes = sum(member["probabilities"] is not None for member in found.get("members", ()))
        return RequestResult(latency_s, 200, degraded=found["degraded"], votes=votes)


def http_client(timeout_s: float) -> httpx.AsyncClient:
    """Return a client without a bound on connections; it closes an idle one before a server would."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=4)
    return httpx.AsyncClient(timeout=timeout_s, limits=limits)


def now_s() -> float:
    """The running event loop's time."""
    return asyncio.get_running_loop().time()
