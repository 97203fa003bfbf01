"""`aiac serve --engine vllm` as a whole: ready and checked, an answer, and an engine killed while clients ask."""

from __future__ import annotations

import asyncio
import importlib.util
import random
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from agents.core.schema import Question
from agents.ensemble.loading import find_ensemble
from agents.ensemble.manifest_file import read_manifest
from benchmarks.clients import LoadClient, http_client
from benchmarks.load import OpenLoop
from benchmarks.sample_questions import questions
from benchmarks.serve_faults import kill_an_engine
from benchmarks.serve_processes import Service, serving

pytestmark = [
    pytest.mark.model,
    pytest.mark.vllm,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed"),
]
TOLERANCE_NATS = 1e-3
RATE_PER_S = 1.0
STEADY_SECONDS = 3.0
"""Of load before the kill, and after all members serve again."""
LIMIT_SECONDS = 6.0
COMPLETE_SECONDS = 120.0


async def check_ready(http: httpx.AsyncClient, service: Service) -> None:
    """Every member of the ensemble that answers is ready, and was held against its probes."""
    response = await http.get(f"{service.url}/ready")
    assert response.status_code == 200
    members = {member["name"]: member for member in response.json()["members"]}
    assert set(members) == {m.name for m in read_manifest(find_ensemble("starter")).members if m.weight > 0}
    for member in members.values():
        assert member["ready"], member
        assert 0 <= member["difference_nats"] <= TOLERANCE_NATS, member


async def until_complete(client: LoadClient, fresh: Iterator[Question]) -> None:
    """A slow machine may need a few: what a step costs is learnt from the first."""
    async with asyncio.timeout(COMPLETE_SECONDS):
        while not (await client.answer(next(fresh))).complete:
            pass


def test_a_killed_engine_fails_no_request_and_its_members_come_back(
    default_checkpoint: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def story() -> None:
        async with serving("starter", "vllm", edition="oct2025_aiac") as service, http_client(60.0) as http:
            await check_ready(http, service)
            client = LoadClient(http, service.url)
            fresh = questions(seed=7)
            await until_complete(client, fresh)
            load = OpenLoop(client.answer, RATE_PER_S, random.Random(7))
            found = await kill_an_engine(service, http, load, fresh, steady_s=STEADY_SECONDS, limit_s=LIMIT_SECONDS)
            assert found["noticed_after_s"] is not None
            assert found["all_members_after_s"] is not None
            # Refused for want of time is no failure: the engine that starts takes both cores of a small machine.
            assert found["failed_requests"] == 0, found
            await check_ready(http, service)
            await until_complete(client, fresh)

    asyncio.run(story())
    # Said by Python of a destructor that fails, here an engine's that is shut down once more at the interpreter's end.
    assert "Exception ignored" not in capfd.readouterr().err
