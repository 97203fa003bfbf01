"""What every test of the service needs: asyncio as the backend, and none of this machine's own settings."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AIAC_")]:
        monkeypatch.delenv(name)
