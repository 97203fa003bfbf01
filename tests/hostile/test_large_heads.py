"""Heads without an end: refused after a bounded number of bytes, by name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import repeat

import pytest
from real_server import head, real_server
from service_fakes import QUESTION

from service.connections import MAX_DISCARDED_BYTES

pytestmark = pytest.mark.anyio
BLOCK = b"x" * 65_536
HEADS: dict[str, tuple[bytes, Iterator[bytes]]] = {
    "one long value": (head("/answer") + b"X-Long: ", repeat(BLOCK)),
    "many headers": (head("/answer"), repeat(b"X-One: more\r\n" * 5000)),
    "a long target": (b"GET /", repeat(BLOCK)),
    "a long method": (b"", repeat(BLOCK)),
    "trailers": (head("/answer", "Transfer-Encoding: chunked") + b"\r\n0\r\nX-Long: ", repeat(BLOCK)),
    "a chunk's extension": (head("/answer", "Transfer-Encoding: chunked") + b"\r\n1;a=", repeat(BLOCK)),
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("kind", HEADS)
async def test_a_head_without_an_end_is_refused_and_the_rest_is_not_kept(kind: str) -> None:
    begin, more = HEADS[kind]
    sent = 0
    async with real_server() as server:
        client = await server.connect(begin)
        answer = asyncio.create_task(client.response())
        try:
            for block in more:
                client.writer.write(block)
                await client.writer.drain()
                sent += len(block)
                if sent > 200_000_000:
                    break
        except ConnectionError:
            pass
        status, headers, body = await answer
        assert status in (400, 431)
        assert headers["content-type"] == "application/problem+json"
        assert json.loads(body)["status"] == status
        assert (await server.client.post("/answer", json=QUESTION)).status_code == 200
    # The kernel's own buffers come on top of what the server reads.
    assert sent < 2 * MAX_DISCARDED_BYTES


async def test_a_head_of_a_browser_with_many_cookies_is_read() -> None:
    async with real_server() as server:
        response = await server.client.post("/answer", json=QUESTION, headers={"Cookie": "a=" + "x" * 8000})
    assert response.status_code == 200
