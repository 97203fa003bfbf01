"""Connections that say nothing, too little or too slowly, or that do not listen."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from match_events import STARTED, append
from polling import until
from real_server import head, real_server
from service_fakes import QUESTION

from service.connections import ConnectionLimits

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_every_connection_without_a_request_is_closed() -> None:
    async with real_server(limits=ConnectionLimits(1000, head_s=0.3)) as server:
        clients = [await server.connect() for _ in range(300)]
        assert all(await asyncio.gather(*(client.closed() for client in clients)))


@pytest.mark.parametrize("first", [b"", head("/health", method="GET") + b"\r\n"], ids=["first", "after a response"])
async def test_a_head_that_trickles_is_refused(first: bytes) -> None:
    async with real_server(limits=ConnectionLimits(1000, head_s=0.5)) as server:
        client = await server.connect(first)
        if first:
            assert (await client.response())[0] == 200
        client.writer.write(head("/health", "X-Slow: ", method="GET").removesuffix(b"\r\n"))
        answer = asyncio.create_task(client.response())
        while not answer.done():
            client.writer.write(b"x")
            await asyncio.wait([answer], timeout=0.05)
        status, headers, body = await answer
        assert (status, headers["connection"]) == (408, "close")
        assert json.loads(body)["type"] == "urn:aiac:error:late-body"
        assert await client.closed()


async def test_idle_connections_make_room_for_honest_ones() -> None:
    async with real_server(limits=ConnectionLimits(20, spared_s=0.0)) as server:
        clients = [await server.connect() for _ in range(100)]
        assert (await server.client.post("/answer", json=QUESTION)).status_code == 200
        closed = await asyncio.gather(*(client.closed() for client in clients[:70]))
    assert all(closed)


async def test_over_the_limit_a_connection_is_told_to_come_back() -> None:
    async with real_server(limits=ConnectionLimits(20, spared_s=60.0)) as server:
        clients = [await server.connect() for _ in range(20)]
        # The server has taken them all up once it has answered the last of them.
        clients[-1].writer.write(head("/health", method="GET") + b"\r\n")
        assert (await clients[-1].response())[0] == 200
        over = await server.connect(head("/health", method="GET") + b"\r\n")
        status, headers, body = await over.response()
        assert (status, headers["retry-after"], headers["connection"]) == (503, "1", "close")
        assert "20 connections are open" in json.loads(body)["detail"]
        clients[0].writer.close()
        async with asyncio.timeout(10):
            while True:
                again = await server.connect(head("/health", method="GET") + b"\r\n")
                if (await again.response())[0] == 200:
                    break


async def test_a_client_that_does_not_read_is_dropped(tmp_path: Path) -> None:
    big = {"type": "question_received", "innings": 1, "index": 0, "row": {"question": "x" * (4 << 20)}}
    append(tmp_path / "one.jsonl", STARTED, *[big] * 8)
    async with real_server(limits=ConnectionLimits(100, stalled_s=0.3), matches=str(tmp_path)) as server:
        client = await server.connect(head("/matches/one/events", method="GET") + b"\r\n")
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]

        def dropped() -> bool:
            client.writer.write(b"x")
            return client.writer.transport.is_closing()

        await until(dropped, pause_s=0.05)
