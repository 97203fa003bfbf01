"""The clients of the load, and the result of a request."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from service_replies import answer, client_of, problem
from simulation import run_virtual

from agents.core.errors import BusyError, NotReadyError
from benchmarks.clients import LeanClient, LoadClient, RequestResult
from benchmarks.sample_questions import questions

QUESTION = next(questions(0))
LIMIT_S = 6.0
CLOSING = b"Connection: close"


def refused_connection(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


async def lean_reply(*replies: bytes) -> list[httpx.Response | str]:
    """Collect what a lean client returns for each reply of a server that answers requests in turn."""
    told, over = iter(replies), asyncio.Semaphore(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readline():
            length = 0
            while head.strip():
                length = int(head.split(b":")[1]) if head.lower().startswith(b"content-length") else length
                head = await reader.readline()
            await reader.readexactly(length)
            writer.write(reply := next(told))
            if not reply or CLOSING in reply:
                break
        writer.close()
        await writer.wait_closed()
        over.release()

    found: list[httpx.Response | str] = []
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        client = LeanClient(*server.sockets[0].getsockname())
        for reply in replies:
            try:
                found.append(await client.post("/answer?detail=true", json={"question": "é"}))
            except httpx.HTTPError as error:
                found.append(type(error).__name__)
            if CLOSING in reply:
                await over.acquire()
                # The end of the connection has arrived; a turn of the loop reads it.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
        await client.aclose()
        await over.acquire()
    return found


def test_the_lean_client_reads_a_status_and_a_body_and_goes_on_over_the_same_connection():
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    busy = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: x\r\ncontent-length: 3\r\n\r\nbut"
    found = asyncio.run(lean_reply(ok, busy))
    assert [(r.status_code, r.text) for r in found if isinstance(r, httpx.Response)] == [(200, "{}"), (503, "but")]


def test_a_connection_that_the_server_has_closed_since_is_not_asked_again():
    replies = [b"HTTP/1.1 200 OK\r\n%sContent-Length: 1\r\n\r\n%d" % (CLOSING + b"\r\n", i) for i in range(2)]
    replies.append(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2")
    found = asyncio.run(lean_reply(*replies))
    assert [reply.text for reply in found if isinstance(reply, httpx.Response)] == ["0", "1", "2"]


def test_a_server_that_hangs_up_or_speaks_no_http_is_an_http_error_to_the_lean_client():
    assert asyncio.run(lean_reply(b"")) == ["ReadError"]
    assert asyncio.run(lean_reply(b"<html>\r\n\r\n")) == ["ReadError"]


@pytest.mark.parametrize(
    ("handler", "expected", "kind"),
    [
        (lambda request: httpx.Response(200, json=answer()), RequestResult(0.0, 200, votes=2), "on_time"),
        (
            lambda request: httpx.Response(200, json=answer(1, degraded=True)),
            RequestResult(0.0, 200, degraded=True, votes=1),
            "on_time",
        ),
        (lambda request: problem(BusyError("too much", 2)), RequestResult(0.0, 503, busy=True), "refused"),
        (lambda request: problem(NotReadyError("loading")), RequestResult(0.0, 503), "unavailable"),
        (lambda request: httpx.Response(500, text="oh"), RequestResult(0.0, 500), "server_error"),
        (lambda request: httpx.Response(422, text="oh"), RequestResult(0.0, 422), "failed"),
        (refused_connection, RequestResult(0.0, 0), "failed"),
    ],
)
def test_what_becomes_of_a_request(handler: Any, expected: RequestResult, kind: str) -> None:
    async def ask() -> RequestResult:
        async with client_of(handler) as http:
            return await LoadClient(http, "http://service").answer(QUESTION)

    found = run_virtual(ask())
    assert found == expected
    assert found.kind(LIMIT_S) == kind


def test_an_answer_after_the_limit_is_late() -> None:
    assert RequestResult(6.0, 200).kind(LIMIT_S) == "on_time"
    assert RequestResult(6.001, 200).kind(LIMIT_S) == "late"
