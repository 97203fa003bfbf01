"""The service as `aiac serve` runs it, on a free port of the loopback, and clients that send what they like."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
from service_fakes import FakeEngine, ensemble_on, loads

from service.app import create_app
from service.connections import ConnectionLimits
from service.server import base_url, reserve_port, run_server
from service.settings import load_settings
from service.state import Load, ServiceState

GUARD_S = 10


@dataclass
class RealServer:
    """A running server, and an honest client of it."""

    port: int
    client: httpx.AsyncClient
    task: asyncio.Task[ServiceState]
    raw: list[RawClient] = field(default_factory=list)

    async def connect(self, sent: bytes = b"") -> RawClient:
        """A client that has sent ``sent``."""
        client = RawClient(*await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 24))
        client.writer.write(sent)
        self.raw.append(client)
        return client

    async def hang_up(self) -> None:
        """Close every connection of ``connect``."""
        for client in self.raw:
            client.writer.transport.abort()
            with suppress(ConnectionError):
                await client.writer.wait_closed()


@dataclass
class RawClient:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def response(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of a response with a length. Raises when the server closes before."""
        async with asyncio.timeout(GUARD_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            body = await self.reader.readexactly(int(headers["content-length"]))
        return int(head[0].split()[1]), headers, body

    async def closed(self) -> bool:
        """Whether the server closes the connection, without a byte before."""
        async with asyncio.timeout(GUARD_S):
            try:
                return await self.reader.read(1) == b""
            except ConnectionError:
                return True


def head(path: str, *lines: str, method: str = "POST") -> bytes:
    """A request's head without its end, with a Host."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *lines, ""]).encode()


@asynccontextmanager
async def real_server(
    load: Load | None = None, limits: ConnectionLimits | None = None, **settings: Any
) -> AsyncIterator[RealServer]:
    """A server on a fake engine, or on what ``load`` gives; it is stopped at the end, if it was not before."""
    ready = asyncio.Event()
    chosen = load_settings(**{"port": 0, "grace_seconds": 0, **settings})
    reserved = reserve_port("127.0.0.1", 0)
    port = reserved.getsockname()[1]
    app = create_app(chosen, load or loads(ensemble_on(FakeEngine())))
    task = asyncio.create_task(run_server(app, chosen, reserved, ready.set, limits))
    await asyncio.wait([task, asyncio.create_task(ready.wait())], return_when=asyncio.FIRST_COMPLETED)
    async with httpx.AsyncClient(base_url=base_url("127.0.0.1", port), trust_env=False, timeout=30) as client:
        server = RealServer(port, client, task)
        try:
            yield server
        finally:
            await server.hang_up()
    if not task.done():
        signal.raise_signal(signal.SIGTERM)
    await asyncio.wait_for(task, GUARD_S)
