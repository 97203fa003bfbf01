"""The server around the app: over real sockets, with real signals."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from service_fakes import PRIOR_LETTER, QUESTION, FakeEngine, ensemble_on, loads

from agents.core.errors import DamagedModelError, InputError
from agents.ensemble.loading import LoadedEnsemble
from service.app import create_app
from service.server import base_url, is_loopback, reserve_port, run_server
from service.settings import load_settings
from service.state import Load, ServiceState

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Running:
    task: asyncio.Task[ServiceState]
    client: httpx.AsyncClient


@asynccontextmanager
async def serving(load: Load, grace_seconds: int = 10) -> AsyncIterator[Running]:
    """A real server on a free port, ready."""
    ready = asyncio.Event()
    settings = load_settings(port=0, grace_seconds=grace_seconds)
    reserved = reserve_port("127.0.0.1", 0)
    url = base_url("127.0.0.1", reserved.getsockname()[1])
    task = asyncio.create_task(run_server(create_app(settings, load), settings, reserved, ready.set))
    await asyncio.wait([task, asyncio.create_task(ready.wait())], return_when=asyncio.FIRST_COMPLETED)
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        yield Running(task, client)


@pytest.mark.parametrize(("soft", "hard", "allowed"), [(256, 2048, 2048), (2048, 2048, 2048)])
def test_a_shell_s_limit_on_open_files_is_raised_as_far_as_it_may_be(soft: int, hard: int, allowed: int) -> None:
    script = (
        "import resource; from service.server import allow_open_files;"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}));"
        "allow_open_files(); print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stderr, done.stdout.strip()) == ("", f"({allowed}, {hard})")


def test_no_more_connections_than_there_may_be_open_files() -> None:
    script = (
        "import resource; from service.server import connection_limit;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024));"
        "print(connection_limit(16_384), connection_limit(100))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stderr, done.stdout.strip()) == ("", "896 100")


@pytest.mark.anyio
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_finishes_what_is_in_flight_and_then_closes_the_engine(number: signal.Signals) -> None:
    engine = FakeEngine(gate=asyncio.Event())
    async with serving(loads(ensemble_on(engine))) as server:
        answer = asyncio.create_task(server.client.post("/answer", json=QUESTION))
        await engine.entered.wait()
        signal.raise_signal(number)
        refused = False
        while not refused:
            try:
                async with httpx.AsyncClient(base_url=server.client.base_url, trust_env=False) as late:
                    await late.get("/health")
            except httpx.TransportError:
                refused = True
        assert not engine.closed
        engine.gate.set()
        response = await answer
        state = await server.task
    assert response.json()["answer"] == "B"
    assert engine.closed
    assert state.settled.is_set()


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/answer", "/answers", "/answer_question"])
async def test_a_client_that_hangs_up_stops_the_work_for_it(path: str) -> None:
    engine = FakeEngine(gate=asyncio.Event())
    async with serving(loads(ensemble_on(engine))) as server:
        async with httpx.AsyncClient(base_url=server.client.base_url, trust_env=False) as client:
            answer = asyncio.create_task(client.post(path, json=QUESTION))
            await engine.entered.wait()
            answer.cancel()
            await asyncio.wait([answer])
        await asyncio.wait_for(engine.stopped.wait(), timeout=5)
        metrics = (await server.client.get("/metrics")).text
        assert "aiac_in_flight 0.0" in metrics
        assert 'aiac_answers_total{outcome="abandoned"} 1.0' in metrics
        assert "aiac_predicted_wait_seconds 0.0" in metrics
        engine.gate.set()
        assert (await server.client.post(path, json=QUESTION)).status_code == 200
        signal.raise_signal(signal.SIGTERM)
        await server.task


async def served_by(server: Running) -> int:
    return sum((await server.client.get("/pool")).json()["served"].values())


@pytest.mark.anyio
async def test_a_thousand_questions_hold_nobody_up_and_stop_when_their_client_hangs_up() -> None:
    many = {"count": 1000, "difficulty": "easy"}
    async with serving(loads(ensemble_on(FakeEngine()))) as server:
        async with httpx.AsyncClient(base_url=server.client.base_url, trust_env=False, timeout=60) as client:
            batch = asyncio.create_task(client.post("/questions", json=many))
            while await served_by(server) < 3:
                assert not batch.done()
            for _ in range(20):
                assert (await server.client.get("/health")).status_code == 200
            assert (await server.client.post("/answer", json=QUESTION)).json()["answer"] == "B"
            assert not batch.done()
            batch.cancel()
            await asyncio.wait([batch])
        before = await served_by(server)
        for _ in range(10):
            await server.client.post("/question", json={"difficulty": "easy"})
        # A batch that went on would have got as many meanwhile; one question may have been on its way.
        assert await served_by(server) - before - 10 in (0, 1)
        signal.raise_signal(signal.SIGTERM)
        await server.task


@pytest.mark.anyio
async def test_a_stop_does_not_wait_longer_than_the_grace() -> None:
    engine = FakeEngine(gate=asyncio.Event())
    async with serving(loads(ensemble_on(engine)), grace_seconds=0) as server:
        answer = asyncio.create_task(server.client.post("/answer", json=QUESTION))
        await engine.entered.wait()
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(server.task, timeout=5)
        assert engine.closed
        await asyncio.gather(answer, return_exceptions=True)


@pytest.mark.anyio
async def test_a_stop_while_loading_ends_before_it_has_loaded() -> None:
    entered = asyncio.Event()

    async def load(report: Callable[[str], None]) -> LoadedEnsemble:
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError

    settings = load_settings(port=0)
    app = create_app(settings, load)
    task = asyncio.create_task(run_server(app, settings, reserve_port("127.0.0.1", 0), lambda: None))
    await entered.wait()
    signal.raise_signal(signal.SIGTERM)
    state = await asyncio.wait_for(task, timeout=5)
    assert not state.settled.is_set()


@pytest.mark.anyio
async def test_a_failed_load_ends_the_server_with_its_error() -> None:
    async def load(report: Callable[[str], None]) -> LoadedEnsemble:
        raise DamagedModelError("weights", "SHA-256 1", "2")

    async with serving(load) as server:
        with pytest.raises(DamagedModelError, match="weights: found SHA-256 1; expected 2"):
            await server.task


@pytest.mark.anyio
async def test_over_a_socket_large_bodies_and_deadlines() -> None:
    engine = FakeEngine(hanging={"first", "second"})
    async with serving(loads(ensemble_on(engine))) as server:
        large = await server.client.post("/answer", json={**QUESTION, "question": "x" * 1_000_000})
        late = await server.client.post("/answer", json=QUESTION, headers={"X-Deadline-Ms": "50"})
        assert "server" not in late.headers
        signal.raise_signal(signal.SIGTERM)
        await server.task
    assert (large.status_code, late.status_code) == (413, 200)
    assert late.json()["answer"] == PRIOR_LETTER


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InputError) as caught:
            reserve_port("127.0.0.1", port)
    assert str(caught.value) == f"port: found {port} in use; expected a free port (--port)"


@pytest.mark.anyio
async def test_a_port_that_somebody_takes_in_between() -> None:
    reserved = reserve_port("127.0.0.1", 0)
    port = reserved.getsockname()[1]
    settings = load_settings(port=port)
    with reserve_port("127.0.0.1", port) as other:
        other.listen()
        app = create_app(settings, loads(ensemble_on(FakeEngine())))
        with reserved, pytest.raises(InputError, match=f"port: found {port} in use"):
            await run_server(app, settings, reserved, lambda: None)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_a_host_that_is_not_this_machine(host: str) -> None:
    with pytest.raises(InputError, match=f"host: found '{host}'"):
        reserve_port(host, 0)


def test_addresses() -> None:
    assert base_url("0.0.0.0", 80) == "http://127.0.0.1:80"
    assert base_url("::", 80) == "http://[::1]:80"
    assert base_url("box.local", 80) == "http://box.local:80"
    assert [is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "127.8.0.1")] == [True] * 4
    assert [is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "box.local")] == [False] * 4
