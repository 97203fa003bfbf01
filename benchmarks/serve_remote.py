"""vLLM servers for a service that computes nothing itself: several of every model, one of which can be killed.

On one machine they share its processors, so that two of them are not faster than one: what is measured is what it costs
to ask over HTTP, and what a lost server costs.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from agents.core.schema import Question
from agents.engines.remote.options import RemoteOptions
from agents.ensemble.base_model import find_or_pull
from agents.ensemble.loading import find_ensemble, verified_weights
from agents.ensemble.merged import merged_checkpoint
from agents.ensemble.placement import EnsembleWeights
from agents.support.concurrency import run_together
from agents.support.settings import variable
from benchmarks.load import OpenLoop, http_client
from benchmarks.reporting import note
from benchmarks.serve_faults import fault_under
from benchmarks.serve_overhead import engine_options
from benchmarks.serve_processes import VllmServer, metric, vllm_serving

ANSWERED = "vllm:request_success_total"
"""vLLM's counter of requests it has answered."""


@dataclass(frozen=True)
class Placed:
    """One server: the checkpoint it serves, under which name, and the options it is started with."""

    name: str
    checkpoint: Path
    options: tuple[str, ...]


class Fleet:
    """Running `vllm serve` processes. Built by ``fleet``, which ends them."""

    def __init__(self, placed: list[Placed], stack: AsyncExitStack, http: httpx.AsyncClient) -> None:
        self.placed = placed
        self.running: list[VllmServer] = []
        self._stack = stack
        self._http = http

    async def start(self) -> None:
        """All at once, since most of a start is one thread's work. Raises as ``vllm_serving`` does."""
        note(f"starting {len(self.placed)} vllm serve")
        self.running = await run_together(map(self._serving, self.placed))

    @contextmanager
    def in_environment(self) -> Iterator[None]:
        """Inside it, what this process opens or starts with ``remote`` asks these servers."""
        name = variable(RemoteOptions, "urls")
        os.environ[name] = " ".join(server.url for server in self.running)
        try:
            yield
        finally:
            del os.environ[name]

    @property
    def replicas(self) -> int:
        """Servers of the first server's model."""
        return sum(placed.name == self.placed[0].name for placed in self.placed)

    async def kill(self, number: int) -> None:
        """SIGKILL to a server and all that it started; returns once it is gone."""
        self.running[number].kill()
        await self.running[number].process.wait()

    async def start_again(self, number: int) -> None:
        """The same model at the same address; returns once it is healthy."""
        port = httpx.URL(self.running[number].url).port
        self.running[number] = await self._serving(self.placed[number], port)

    async def answered(self, number: int) -> float:
        """Requests that a server has answered since its start, by its own counter."""
        return await metric(self._http, self.running[number].url, ANSWERED)

    async def _serving(self, placed: Placed, port: int | None = None) -> VllmServer:
        return await self._stack.enter_async_context(vllm_serving(placed.checkpoint, placed.options, self._http, port))


@asynccontextmanager
async def fleet(ensemble: str, replicas: int) -> AsyncIterator[Fleet]:
    """``replicas`` servers of every model of an ensemble, all healthy; ended with the block.

    Raises EngineError when one does not start, and what ``load_ensemble`` raises for the manifest and the weights.
    """
    _, weights = await verified_weights(find_ensemble(ensemble), find_or_pull)
    models = await asyncio.to_thread(models_of, weights)
    share = 1 / (replicas * len(models))
    placed = [
        Placed(name, path, serve_options(name, path, share)) for _ in range(replicas) for name, path in models.items()
    ]
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(http_client(timeout_s=30))
        found = Fleet(placed, stack, http)
        await found.start()
        yield found


def models_of(weights: EnsembleWeights) -> dict[str, Path]:
    """What has to be served, by the names that a service asks for: adapters merged, as a CPU serves them best."""
    found: dict[str, Path] = {}
    for member in weights.members:
        if member.kind == "base":
            found[weights.base_model] = weights.base
        elif member.kind == "checkpoint":
            found[member.name] = weights.folders[member.name]
        else:
            found[member.name] = merged_checkpoint(
                weights.base, weights.base_sha256, weights.folders[member.name], str(member.sha256)
            )
    return found


def serve_options(name: str, checkpoint: Path, share: float) -> tuple[str, ...]:
    """The options of `vllm serve` with which it computes as an engine of this project's would.

    ``share`` is its part of what all servers may have of a GPU's memory.
    """
    return ("--served-model-name", name, *engine_options(checkpoint, {}, dtype="float32", share=share))


async def kill_a_server(
    servers: Fleet, load: OpenLoop[Question], fresh: Iterator[Question], *, steady_s: float, limit_s: float
) -> dict[str, Any]:
    """SIGKILL to the first server under ``load``, which goes on while it is started again, and after that.

    ``steady_s`` of load come before the kill, and again once the server is healthy. Without a second server of its
    model it is let be.
    """
    if servers.replicas < 2:
        return {"skipped": "one server of each model: killing it leaves nothing that could answer"}
    loop = asyncio.get_running_loop()
    before = 0.0

    async def kill() -> dict[str, Any]:
        nonlocal before
        await servers.kill(0)
        killed = loop.time()
        await servers.start_again(0)
        healthy_after_s = loop.time() - killed
        note(f"healthy again after {healthy_after_s:.1f} s")
        before = await servers.answered(0)
        return {"servers": len(servers.running), "healthy_after_s": healthy_after_s}

    found = await fault_under(load, fresh, kill, steady_s=steady_s, limit_s=limit_s)
    return found | {"answered_by_the_killed_one_since": await servers.answered(0) - before}
