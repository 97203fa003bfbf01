"""The remote engine before real vLLM servers: the contract, structured output, and one killed in the middle of load."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import polling
import pytest
from engine_contract import CONTRACT, PROMPT, TOLERANCE_NATS, Check

from agents.engines.remote.config import RemoteConfig, RemoteLimits, ServedNames
from agents.engines.remote.engine import RemoteEngine
from agents.engines.remote.replica import ReplicaStats
from agents.engines.vllm.device import prepare_environment
from agents.engines.vllm.options import VllmOptions
from benchmarks.serve_remote import Fleet, Placed
from training.support.plain_model import plain_logprobs

pytestmark = [
    pytest.mark.model,
    pytest.mark.vllm,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed"),
]
NAME = "base"
ARGUMENTS = ["--served-model-name", NAME, "--dtype", "float32", "--max-model-len", "1024", "--max-num-seqs", "16"]
ARGUMENTS += ["--enforce-eager", "--max-logprobs", "128"]
CANDIDATES = [3, 9, 250]
SCHEMA = {
    "type": "object",
    "properties": {"sure": {"type": "boolean"}},
    "required": ["sure"],
    "additionalProperties": False,
}
START_SECONDS = 300
"""How long a story may wait for a server to come back."""


@dataclass(frozen=True)
class Servers:
    """Two vLLM servers of one checkpoint, and an engine over the two."""

    fleet: Fleet
    engine: RemoteEngine


@asynccontextmanager
async def two_servers(checkpoint: Path) -> AsyncIterator[Servers]:
    prepare_environment(VllmOptions())
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=5))
        fleet = Fleet([Placed(NAME, checkpoint, tuple(ARGUMENTS))] * 2, stack, http)
        await fleet.start()
        engine = await RemoteEngine.open(
            [server.url for server in fleet.running],
            checkpoint,
            ServedNames(NAME),
            RemoteConfig("float32", limits=RemoteLimits(probe_interval_s=0.5)),
        )
        stack.push_async_callback(engine.close)
        yield Servers(fleet, engine)


@pytest.fixture(scope="module")
def servers(default_checkpoint: Path, loop: asyncio.Runner) -> Iterator[Servers]:
    stack = AsyncExitStack()
    yield loop.run(stack.enter_async_context(two_servers(default_checkpoint)))
    loop.run(stack.aclose())


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
def test_contract(check: Check, servers: Servers, plain: Any, loop: asyncio.Runner) -> None:
    loop.run(check(servers.engine, plain))


def test_generation_keeps_to_a_json_schema(servers: Servers, loop: asyncio.Runner) -> None:
    engine = servers.engine
    prompt = engine.tokenizer.encode_markup(
        engine.tokenizer.render_chat([{"role": "user", "content": "Is the sky blue?"}])
    )
    generation = loop.run(engine.generate(prompt, max_tokens=40, temperature=1.0, seed=5, json_schema=SCHEMA))
    assert set(json.loads(engine.tokenizer.decode(generation.token_ids))) == {"sure"}


def test_a_server_killed_in_the_middle_of_load_fails_no_request_and_is_used_again_once_it_is_back(
    servers: Servers, plain: Any, loop: asyncio.Runner
) -> None:
    engine, fleet, (killed, kept) = servers.engine, servers.fleet, (0, 1)
    last = plain_logprobs(plain, PROMPT)[-1]
    expected = pytest.approx([float(last[token]) for token in CANDIDATES], abs=TOLERANCE_NATS)

    def stats(number: int) -> ReplicaStats:
        return next(stats for stats in engine.stats().replicas if stats.url == fleet.running[number].url)

    def answered(number: int) -> int:
        return stats(number).answered

    def up(number: int) -> bool:
        return stats(number).up

    until = partial(polling.until, guard_s=START_SECONDS, pause_s=0.05)

    async def under_load(story: Awaitable[None], *, clients: int, pause_s: float = 0.0) -> list[list[float]]:
        """The story, while clients ask one question after the other; what they were told."""
        told: list[list[float]] = []
        over = asyncio.Event()

        async def client() -> None:
            while not over.is_set():
                told.append(await engine.next_token_logprobs(PROMPT, CANDIDATES))
                await asyncio.sleep(pause_s)

        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(client())
            await story
            over.set()
        return told

    async def five_more_of(number: int) -> None:
        before = answered(number)
        await until(lambda: answered(number) >= before + 5)

    async def killing() -> None:
        await five_more_of(killed)
        await fleet.kill(killed)
        await until(lambda: not up(killed))
        await five_more_of(kept)

    async def starting_again() -> None:
        await fleet.start_again(killed)
        await until(lambda: up(killed))

    told = [
        *loop.run(under_load(killing(), clients=4)),
        # A vLLM that starts needs the cores as well: clients that never rest leave it next to nothing of two.
        *loop.run(under_load(starting_again(), clients=1, pause_s=1.0)),
        *loop.run(under_load(five_more_of(killed), clients=4)),
    ]
    # The server's own counter began again with it, and engine and server agree on who was asked.
    assert loop.run(fleet.answered(killed)) >= 5
    assert len(told) >= 15
    for values in told:
        assert values == expected
