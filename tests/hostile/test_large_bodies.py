"""Bodies over the limit: their client gets to see the 413."""

from __future__ import annotations

import json

import pytest
from real_server import head, real_server

pytestmark = pytest.mark.anyio
MEGABYTES = 1 << 20


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
@pytest.mark.parametrize(("path", "size"), [("/answer", 5), ("/question", 1), ("/answers", 12)])
async def test_who_sends_all_of_a_large_body_first_sees_the_refusal(path: str, size: int, connection: str) -> None:
    size *= MEGABYTES
    async with real_server() as server:
        client = await server.connect(head(path, f"Connection: {connection}", f"Content-Length: {size}") + b"\r\n")
        for _ in range(0, size, MEGABYTES):
            client.writer.write(b"x" * MEGABYTES)
            await client.writer.drain()
        status, _, body = await client.response()
        assert (status, json.loads(body)["title"]) == (413, "Request too large")
        if connection == "keep-alive":
            client.writer.write(head("/health", method="GET") + b"\r\n")
            assert (await client.response())[0] == 200
        else:
            assert await client.closed()


async def test_a_client_that_asks_first_is_refused_before_it_sends() -> None:
    async with real_server() as server:
        client = await server.connect(head("/answer", "Expect: 100-continue", "Content-Length: 5000000") + b"\r\n")
        assert (await client.response())[0] == 413
        assert await client.closed()


async def test_a_body_without_an_end_is_cut_off() -> None:
    sent = 0
    async with real_server() as server:
        client = await server.connect(head("/answer", "Transfer-Encoding: chunked") + b"\r\n")
        chunk = b"100000\r\n" + b"x" * MEGABYTES + b"\r\n"
        try:
            while sent < 500 * MEGABYTES:
                client.writer.write(chunk)
                await client.writer.drain()
                sent += MEGABYTES
        except ConnectionError:
            pass
    assert sent < 60 * MEGABYTES
