"""Fixtures that more than one part of the suite needs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

DEFAULT_MODEL = "SmolLM2-135M-Instruct"


@pytest.fixture(scope="session")
def default_checkpoint() -> Path:
    """The real default model, pulled on first use."""
    from agents.models.store import ModelStore

    return ModelStore().pull(DEFAULT_MODEL)


@pytest.fixture(scope="session")
def default_engine(default_checkpoint: Path) -> Iterator[object]:
    """The embedded engine on the real default model."""
    from agents.engines.transformers import TransformersEngine

    engine = TransformersEngine.load(default_checkpoint, dtype="float32")
    yield engine
    asyncio.run(engine.close())
