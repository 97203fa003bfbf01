"""Fixtures that more than one part of the suite needs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_model import SPEC, FakeSource, MakeStore, fake_convert

from agents.models.store import ModelStore

DEFAULT_MODEL = "SmolLM2-135M-Instruct"


@pytest.fixture(scope="session")
def default_checkpoint() -> Path:
    """The real default model, pulled on first use."""
    return ModelStore().pull(DEFAULT_MODEL)


@pytest.fixture(scope="session")
def default_engine(default_checkpoint: Path) -> Iterator[object]:
    """The embedded engine on the real default model."""
    from agents.engines.torch.engine import TransformersEngine

    engine = TransformersEngine.load(default_checkpoint, dtype="float32")
    yield engine
    asyncio.run(engine.close())


@pytest.fixture(scope="session")
def word_counter(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A checkpoint folder whose tokenizer counts words, for those who only count."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = tmp_path_factory.mktemp("words")
    tokenizer = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").touch()
    return str(folder)


@pytest.fixture
def make_store(tmp_path: Path) -> MakeStore:
    """Makes stores of the tiny model below ``tmp_path/cache``."""

    def make(*sources: FakeSource, **changes: object) -> ModelStore:
        settings = {
            "root": tmp_path / "cache",
            "sources": sources or (FakeSource(),),
            "convert": fake_convert,
            "catalogue": {"Tiny": SPEC},
        }
        return ModelStore(**{**settings, **changes})  # type: ignore[arg-type]

    return make
