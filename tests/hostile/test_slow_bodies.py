"""Bodies that never end: they hold no place, and not for long."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from real_server import RealServer, head, real_server
from service_fakes import QUESTION

from service.admission import MAX_WAITING

pytestmark = pytest.mark.anyio
PATHS = ("/answer", "/answers", "/answer_question", "/question", "/questions", "/generate_question")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def stalled(server: RealServer, path: str, *lines: str) -> float:
    """Seconds until a body that stalls gets its 408 and the connection is closed."""
    started_s = time.monotonic()
    client = await server.connect(head(path, "Content-Length: 100", "X-Deadline-Ms: 1000", *lines) + b'\r\n{"a":')
    status, headers, body = await client.response()
    assert (status, headers["content-type"]) == (408, "application/problem+json")
    problem = json.loads(body)
    assert (problem["type"], problem["field"]) == ("urn:aiac:error:late-body", "body")
    assert "all of it within 1.0 s" in problem["expected"]
    assert await client.closed()
    return time.monotonic() - started_s


async def test_more_unfinished_bodies_than_may_wait_close_no_route() -> None:
    async with real_server() as server:
        slow = [
            await server.connect(head("/question", "Content-Length: 100") + b"\r\n{") for _ in range(MAX_WAITING + 50)
        ]
        asked = await server.client.post("/question", json={"difficulty": "easy"})
        answered = await server.client.post("/answer", json=QUESTION)
        assert (asked.status_code, answered.status_code) == (200, 200)
        assert all(not client.reader.at_eof() for client in slow)


async def test_a_body_that_stalls_is_refused_in_the_time_of_one_question() -> None:
    async with real_server() as server:
        seconds = await asyncio.gather(*(stalled(server, path) for path in PATHS))
    assert max(seconds) < 5


async def test_a_body_that_trickles_is_refused_as_well() -> None:
    async with real_server() as server:
        client = await server.connect(head("/answer", "Content-Length: 10000", "X-Deadline-Ms: 1000") + b"\r\n")
        answer = asyncio.create_task(client.response())
        while not answer.done():
            client.writer.write(b" ")
            await asyncio.wait([answer], timeout=0.05)
        assert (await answer)[0] == 408


async def test_a_slow_body_that_ends_in_time_is_answered() -> None:
    body = json.dumps(QUESTION).encode()
    async with real_server() as server:
        client = await server.connect(head("/answer", f"Content-Length: {len(body)}") + b"\r\n")
        for byte in body:
            client.writer.write(bytes([byte]))
            await asyncio.sleep(0)
        status, _, answer = await client.response()
    assert (status, json.loads(answer)["answer"]) == (200, "B")
