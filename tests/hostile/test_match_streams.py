"""Streams of a match: never too many of them, and no key before its question is answered."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from match_events import ENDED, STARTED, append
from real_server import head, real_server

from service.routes.matches import MAX_STREAMS

pytestmark = pytest.mark.anyio
ROW = {"topic": "t", "question": "Which?", "choices": ["A) a", "B) b", "C) c", "D) d"]}
HIDDEN: list[Any] = [
    {**ROW, "answer": "B", "explanation": "B, for short"},
    {**ROW, "expected_answer": "B"},
    {**ROW, "anything else": {"of": "B"}},
    json.dumps({**ROW, "answer": "B"}),
    [json.dumps({**ROW, "answer": "B"}), 5, 0.1],
]


def question(index: int, row: Any) -> dict[str, Any]:
    return {"type": "question_received", "innings": 1, "index": index, "row": row}


def answer(index: int) -> dict[str, Any]:
    return {"type": "answer_received", "innings": 1, "index": index, "letter": "A"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_of_forty_streams_asked_for_at_once_exactly_as_many_are_opened_as_may_be(tmp_path: Path) -> None:
    append(tmp_path / "one.jsonl", STARTED)
    request = head("/matches/one/events", method="GET") + b"\r\n"
    async with real_server(matches=str(tmp_path)) as server:
        clients = [await server.connect(request) for _ in range(MAX_STREAMS + 8)]
        async with asyncio.timeout(10):
            firsts = [await client.reader.readline() for client in clients]
        assert sum(b" 200 " in first for first in firsts) == MAX_STREAMS
        assert sum(b" 503 " in first for first in firsts) == 8
        for client in clients:
            client.writer.close()
        async with asyncio.timeout(10):
            while True:
                again = await server.connect(request)
                if b" 200 " in await again.reader.readline():
                    break
                again.writer.close()


async def streamed(folder: Path, events: int) -> list[dict[str, Any]]:
    """The first ``events`` of a match that goes on."""
    found: list[dict[str, Any]] = []
    async with (
        real_server(matches=str(folder)) as server,
        asyncio.timeout(10),
        server.client.stream("GET", "/matches/one/events") as response,
    ):
        async for line in response.aiter_lines():
            found += [json.loads(line.removeprefix("data: "))] if line.startswith("data: ") else []
            if len(found) == events:
                break
    return found


async def test_a_row_shows_its_key_only_when_it_was_answered(tmp_path: Path) -> None:
    run = {"type": "run_finished", "innings": 1, "phase": "questions", "output_tail": "the key is B"}
    judged = {"type": "key_judged", "innings": 1, "index": 0, "status": "proved", "letter": "B", "probabilities": [1]}
    log = [STARTED, run, *(question(index, row) for index, row in enumerate(HIDDEN)), judged]
    append(tmp_path / "one.jsonl", *log)
    live = await streamed(tmp_path, len(log))
    assert [event["row"] for event in live[2:-1]] == [ROW, ROW, ROW, None, None]
    assert (live[1]["output_tail"], live[-1]["status"]) == ("", "proved")
    assert "letter" not in live[-1]
    append(tmp_path / "one.jsonl", answer(0), answer(3))
    later = await streamed(tmp_path, len(log) + 2)
    assert [event["row"] for event in later[2:7]] == [HIDDEN[0], ROW, ROW, HIDDEN[3], None]
    assert later[7] == judged
    append(tmp_path / "one.jsonl", ENDED)
    assert await streamed(tmp_path, len(log) + 3) == [*log, answer(0), answer(3), ENDED]
