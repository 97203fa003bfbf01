"""A stop in the middle of work: every client is told, in problem details and without a traceback."""

from __future__ import annotations

import asyncio
import logging
import signal

import pytest
from real_server import real_server
from service_fakes import QUESTION, FakeEngine, ensemble_on, loads

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("path", ["/answers", "/answer", "/answer_question"])
async def test_what_a_stop_cuts_off_gets_503(path: str, caplog: pytest.LogCaptureFixture) -> None:
    engine = FakeEngine(gate=asyncio.Event())
    body = [QUESTION] * 50 if path == "/answers" else QUESTION
    with caplog.at_level(logging.INFO):
        async with real_server(loads(ensemble_on(engine))) as server:
            work = asyncio.create_task(server.client.post(path, json=body))
            await engine.entered.wait()
            signal.raise_signal(signal.SIGTERM)
            response = await work
            await asyncio.wait_for(server.task, 10)
    assert (response.status_code, response.headers["content-type"]) == (503, "application/problem+json")
    assert response.json()["type"] == "urn:aiac:error:not-ready"
    assert "stopping" in response.json()["detail"]
    assert int(response.headers["retry-after"]) >= 1
    assert engine.closed
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]
