"""The servers behind a `remote` service: what is served under which name, how it is asked, and one of them killed."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import random
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from simulation import run_virtual

from agents.core.schema import Question
from agents.engines.remote.options import RemoteOptions
from agents.ensemble.base_model import find_or_pull
from agents.ensemble.loading import verified_weights
from agents.support.settings import read_settings
from benchmarks.clients import RequestResult
from benchmarks.load import OpenLoop
from benchmarks.sample_questions import questions
from benchmarks.serve import read_options
from benchmarks.serve_remote import Fleet, Placed, kill_a_server, models_of, serve_options
from benchmarks.vllm_serve import VllmServer

COUNTED = """# TYPE vllm:request_success_total counter
vllm:request_success_total{finished_reason="length"} 4.0
vllm:request_success_total{finished_reason="stop"} 3.0
# TYPE vllm:request_success_created gauge
vllm:request_success_created{finished_reason="stop"} 1.7e9
"""


def fleet_at(*urls: str, http: httpx.AsyncClient | None = None) -> Fleet:
    """Servers that nothing here starts."""
    found = Fleet([Placed("m", Path("m"), ()) for _ in urls], AsyncExitStack(), http or httpx.AsyncClient())
    found.running = [VllmServer(url, process=None) for url in urls]  # type: ignore[arg-type]
    return found


def test_every_model_is_served_by_the_name_that_a_service_asks_for_and_adapters_are_merged(
    tiny_ensemble: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIAC_CACHE_DIR", str(tmp_path))
    _, weights = asyncio.run(verified_weights(tiny_ensemble, find_or_pull))
    models = models_of(weights)
    assert set(models) == {weights.base_model, "tuned"}
    assert models[weights.base_model] == weights.base
    assert not (models["tuned"] / "adapter_config.json").exists()
    assert (models["tuned"] / "config.json").read_text() == (weights.base / "config.json").read_text()


def test_a_service_that_is_started_inside_asks_these_servers() -> None:
    with fleet_at("http://one:1", "http://two:2").in_environment():
        assert read_settings(RemoteOptions).addresses == ["http://one:1", "http://two:2"]
    assert "AIAC_REMOTE_URLS" not in os.environ


def test_what_a_server_has_answered_is_read_from_its_own_counter() -> None:
    async def run() -> float:
        transport = httpx.MockTransport(lambda request: httpx.Response(200, text=COUNTED))
        async with httpx.AsyncClient(transport=transport) as http:
            return await fleet_at("http://one:1", http=http).answered(0)

    assert asyncio.run(run()) == 7.0


class TwoServers(Fleet):
    """Two of one model in simulated time: the first is away for 20 s after it was killed, and answers half since."""

    def __init__(self) -> None:
        super().__init__([Placed("m", Path("m"), ())] * 2, AsyncExitStack(), httpx.AsyncClient())
        self.killed = False
        self.asked = 0

    async def kill(self, number: int) -> None:
        self.killed = True

    async def start_again(self, number: int) -> None:
        await asyncio.sleep(20.0)
        self.killed = False
        self.asked = 0

    async def answered(self, number: int) -> float:
        return self.asked / 2

    async def ask(self, question: Question) -> RequestResult:
        self.asked += 1
        return RequestResult(0.0, 200, votes=1, degraded=self.killed)


def test_load_goes_on_while_a_server_is_killed_and_started_again() -> None:
    async def run() -> tuple[dict[str, Any], int]:
        servers = TwoServers()
        load = OpenLoop(servers.ask, 5.0, random.Random(3))
        found = await kill_a_server(servers, load, questions(0), steady_s=10.0, limit_s=6.0)
        return found, servers.asked

    found, since = run_virtual(run())
    assert (found["killed_after_s"], found["healthy_after_s"]) == pytest.approx((10.0, 20.0))
    assert found["answered_by_the_killed_one_since"] == since / 2 > 0
    assert found["failed_requests"] == 0
    assert found["questions"] == found["counts"]["on_time"] > 3 * since / 2
    assert 0 < found["shares"]["degraded"] < 1


def test_the_only_server_of_a_model_is_not_killed() -> None:
    async def run() -> dict[str, Any]:
        load = OpenLoop(TwoServers().ask, 5.0, random.Random(3))
        return await kill_a_server(fleet_at("http://one:1"), load, questions(0), steady_s=1.0, limit_s=6.0)

    assert list(run_virtual(run())) == ["skipped"]


def test_without_servers_of_its_own_a_benchmark_of_remote_starts_two_of_each_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert read_options(["--engine", "remote"]).replicas == 2
    assert read_options(["--engine", "remote", "--replicas", "1"]).replicas == 1
    with pytest.raises(SystemExit):
        read_options(["--replicas", "0"])
    assert "--replicas: found 0; expected a positive number" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        read_options(["--burst", "-1"])
    assert "--burst: found -1; expected 0 or more" in capsys.readouterr().err


@pytest.mark.vllm
@pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed")
def test_a_server_computes_as_the_engine_in_this_process_would(tiny_ensemble: Path) -> None:
    _, weights = asyncio.run(verified_weights(tiny_ensemble, find_or_pull))
    options = serve_options("tuned", weights.base, share=0.5)
    assert options[:2] == ("--served-model-name", "tuned")
    assert options[options.index("--dtype") + 1] == "float32"
    assert "--enable-prefix-caching" in options
    # Its counters are what tells whether it is asked again.
    assert "--disable-log-stats" not in options
