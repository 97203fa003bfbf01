"""Adapters kept busy while the bare model is probed: one at a time, a server that mixes them up computes it rightly.

vLLM's CPU back end computes a request without an adapter with the last adapter in its batch, and says nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from agents.core.errors import EngineError
from agents.engines.remote import wire
from agents.engines.remote.replicas import OneReplica
from agents.support.concurrency import cancel_all

PROMPT = [1]
"""Any: what the adapters say is thrown away."""
MOST_TOKENS = 256
"""Of one generation. Each of its steps is a batch that the probes can share."""
KNOWN_TOKENS = 32
"""What any context holds, for a server that does not say how long its own is."""


@asynccontextmanager
async def adapters_busy(server: OneReplica) -> AsyncIterator[None]:
    """While the block runs, every adapter beside the server's model generates. An adapter that cannot is let be."""
    busy = [asyncio.create_task(_generate(server, adapter)) for adapter in server.model.beside]
    try:
        if busy:
            # When the model answers, what was sent before has been taken up: from now on batches are shared.
            await server.ask(None, wire.scoring_request(PROMPT, PROMPT, with_prompt=False), bool, "score")
        yield
    finally:
        await cancel_all(busy)


async def _generate(server: OneReplica, adapter: str) -> None:
    tokens = min(MOST_TOKENS, (server.model.max_tokens or KNOWN_TOKENS) - len(PROMPT))
    body = wire.generation_request(PROMPT, max_tokens=tokens, temperature=0.0, top_p=1.0, seed=None, json_schema=None)
    beside = server.of(adapter)
    with suppress(EngineError):
        while True:
            await beside.ask(adapter, {**body, "ignore_eos": True}, wire.generation, "generate")
