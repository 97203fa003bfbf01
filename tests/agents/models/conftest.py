"""Fixtures for the tests of the model store."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_model import SPEC, FakeSource, MakeStore, fake_convert

from agents.models.store import ModelStore


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
