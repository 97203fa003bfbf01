"""`aiac serve` as a process of its own: started, waited for, inspected, and ended."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from agents.core.errors import EngineError
from agents.engines.vllm.start import PROCESS_NAME
from agents.support.settings import variable
from service.settings import Settings

READY = "Ready. Console: "
START_SECONDS = 900.0
"""Longest wait for a server to become ready."""
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
        """Resident memory of the service's own process, and of all processes that it started."""
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
    """Start `aiac serve` on a free port and wait until it is ready. ``settings`` override the environment.

    Raises EngineError when it ends before it is ready, or is not ready after ``START_SECONDS``.
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


@asynccontextmanager
async def ended_after(
    command: Sequence[str], stdout: Any, environment: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a process; end it and all that it started when the block ends.

    It leads a process group, not a session. Linux divides the processors between sessions first (autogroup): a client
    in another session than busy engines waited for a processor for up to 1.3 s. Within one session priorities decide,
    and the engines' is lower than the client's.
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
    # Its wait() also waits for the pipe, which a child that it left behind may hold open.
    while started.returncode is None and loop.time() < end:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0.05)
    # The workers of a killed engine outlive it; they are in the group that the server leads.
    with suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)
    await started.wait()
    # For a process that had ended before, wait() returns with the pipe still open. Reading to the end closes it.
    if started.stdout is not None:
        await started.stdout.read()


async def metric(http: httpx.AsyncClient, url: str, name: str) -> float:
    """Sum a sample of a server's /metrics over all labels. Raises EngineError when it is not there."""
    text = (await http.get(f"{url}/metrics")).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    values = [sample.value for sample in samples if sample.name == name]
    if not values:
        raise EngineError(f"{url}/metrics does not have {name}")
    return float(sum(values))


async def members_ready(http: httpx.AsyncClient, url: str) -> Mapping[str, bool]:
    """Readiness of each member, by /ready; empty when the service says that it cannot answer."""
    response = await http.get(f"{url}/ready")
    if response.status_code != 200:
        return {}
    return {member["name"]: member["ready"] for member in response.json()["members"]}
