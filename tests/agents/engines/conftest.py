"""For the tests of engines: asyncio; a loop and a plain model for the real ones; servers for the remote one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from openai_server import OpenAIServer
from remote_fakes import NO_PROBES, FlatEngine
from tiny_checkpoint import write_tiny_checkpoint

from agents.engines.remote.config import RemoteConfig, ServedNames
from agents.engines.remote.engine import RemoteEngine


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    """One event loop for a module, since an engine belongs to the loop that first uses it."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def plain(default_checkpoint: Path) -> Any:
    """The default model in float32, without an engine around it."""
    from training.support.plain_model import plain_model

    return plain_model(default_checkpoint)


@pytest.fixture(scope="module")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
async def servers() -> AsyncIterator[list[OpenAIServer]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(OpenAIServer(FlatEngine(), {"tiny": None})) for _ in range(3)]


Open = Callable[..., Any]


@pytest.fixture
def opened(tokenizer_folder: Path) -> Open:
    @asynccontextmanager
    async def open_engine(
        *servers: OpenAIServer, adapters=(), others=(), admit=None, **options: Any
    ) -> AsyncIterator[RemoteEngine]:
        urls = [server.url for server in servers]
        config = RemoteConfig("float32", **{"limits": NO_PROBES, **options})
        names = ServedNames("tiny", adapters, others)
        engine = await RemoteEngine.open(urls, tokenizer_folder, names, config, admit)
        try:
            yield engine
        finally:
            await engine.close()

    return open_engine
