"""vLLM servers behind a `remote` service, one of which can be killed.

On one machine they share its processors, so two of them are not faster than one. Measured are the cost of HTTP and the
cost of a lost server.
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
from benchmarks.clients import http_client, now_s
from benchmarks.command_line import note
from benchmarks.load import OpenLoop
from benchmarks.serve_faults import fault_under
from benchmarks.serve_processes import metric
from benchmarks.vllm_serve import VllmServer, engine_options, vllm_serving

ANSWERED = "vllm:request_success_total"
"""vLLM's counter of answered requests."""


@dataclass(frozen=True)
class Placed:
    """One server: its checkpoint, the name it serves it under, and its options."""

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
        """Start all at once, since one thread does most of a start. Raises as ``vllm_serving`` does."""
        note(f"starting {len(self.placed)} vllm serve")
        self.running = await run_together(map(self._serving, self.placed))

    @contextmanager
    def in_environment(self) -> Iterator[None]:
        """Point the ``remote`` engines of this process and its children to these servers."""
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
        """Send SIGKILL to a server and all that it started; return once it is gone."""
        self.running[number].kill()
        await self.running[number].process.wait()

    async def start_again(self, number: int) -> None:
        """Start the same model at the same address; return once it is healthy."""
        port = httpx.URL(self.running[number].url).port
        self.running[number] = await self._serving(self.placed[number], port)

    async def answered(self, number: int) -> float:
        """Requests answered by a server since its start, by its own counter."""
        return await metric(self._http, self.running[number].url, ANSWERED)

    async def _serving(self, placed: Placed, port: int | None = None) -> VllmServer:
        return await self._stack.enter_async_context(vllm_serving(placed.checkpoint, placed.options, self._http, port))


@asynccontextmanager
async def fleet(ensemble: str, replicas: int) -> AsyncIterator[Fleet]:
    """Start ``replicas`` servers of every model of an ensemble; wait until healthy; end them with the block.

    Raises EngineError when one does not start. Raises as ``load_ensemble`` does for the manifest and the weights.
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
    """Checkpoints to serve, by the names that a service asks for. Adapters are merged: a CPU serves them best so."""
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
    """Return ``engine_options`` in float32, and the name that the checkpoint is served under."""
    return ("--served-model-name", name, *engine_options(checkpoint, {}, dtype="float32", share=share))


async def kill_a_server(
    servers: Fleet, load: OpenLoop[Question], fresh: Iterator[Question], *, steady_s: float, limit_s: float
) -> dict[str, Any]:
    """Send SIGKILL to the first server under ``load``, which continues while the server starts again.

    ``steady_s`` of load come before the kill, and again once the server is healthy. Without a second server of its
    model the measurement is skipped.
    """
    if servers.replicas < 2:
        return {"skipped": "one server of each model: killing it leaves nothing that could answer"}
    before = 0.0

    async def kill() -> dict[str, Any]:
        nonlocal before
        await servers.kill(0)
        killed_at = now_s()
        await servers.start_again(0)
        healthy_after_s = now_s() - killed_at
        note(f"healthy again after {healthy_after_s:.1f} s")
        before = await servers.answered(0)
        return {"servers": len(servers.running), "healthy_after_s": healthy_after_s}

    found = await fault_under(load, fresh, kill, steady_s=steady_s, limit_s=limit_s)
    return found | {"answered_by_the_killed_one_since": await servers.answered(0) - before}
