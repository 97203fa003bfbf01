"""/health, /ready, /metrics, and what is said while there is no ensemble."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest
from service_fakes import QUESTION, FakeEngine, ensemble_on, loads, running

from agents.core.errors import DamagedModelError
from agents.ensemble.golden_probes import MemberStatus
from agents.ensemble.loading import LoadedEnsemble

pytestmark = pytest.mark.anyio


async def test_ready() -> None:
    async with running() as service:
        assert (await service.client.get("/health")).json() == {"status": "alive"}
        response = await service.client.get("/ready")
    member = {"ready": True, "difference_nats": 0.0001, "reason": None}
    assert response.status_code == 200
    assert response.json() == {
        "status": "ready",
        "ensemble": "fake",
        "engine": "transformers",
        "dtype": "float32",
        "members": [{"name": "first", **member}, {"name": "second", **member}],
        "detail": None,
    }


@pytest.mark.parametrize(("difference", "shown"), [(0.2, 0.2), (float("inf"), None)])
async def test_ready_without_a_rejected_member_says_so(difference: float, shown: float | None) -> None:
    statuses = [MemberStatus("first", False, difference, "differs too much"), MemberStatus("second", True, 0.0)]
    load = loads(ensemble_on(FakeEngine(), statuses))
    async with running(load=load) as service:
        ready = await service.client.get("/ready")
        answer = await service.answer(QUESTION, params={"detail": "true"})
    assert ready.status_code == 200
    assert ready.json()["detail"] == "1 of 2 members are left out: first"
    assert ready.json()["members"][0] == {
        "name": "first",
        "ready": False,
        "difference_nats": shown,
        "reason": "differs too much",
    }
    assert [(member["name"], member["error"]) for member in answer.json()["members"]] == [
        ("first", "not served now"),
        ("second", None),
    ]
    assert answer.json()["degraded"] is True


async def test_an_engine_that_broke_is_not_ready() -> None:
    async with running(FakeEngine(unhealthy="the GPU fell off the bus")) as service:
        response = await service.client.get("/ready")
    assert response.status_code == 503
    assert response.json()["detail"] == "engine: the GPU fell off the bus"


async def test_while_loading() -> None:
    finish = asyncio.Event()
    ensemble = ensemble_on(FakeEngine())

    async def load(report: Callable[[str], None]) -> LoadedEnsemble:
        report("verifying weights")
        await finish.wait()
        return ensemble

    async with running(load=load, settled=False) as service:
        await asyncio.sleep(0)
        alive = await service.client.get("/health")
        ready = await service.client.get("/ready")
        refused = [
            await service.client.post(path, json=QUESTION) for path in ("/answer", "/answers", "/answer_question")
        ]
        finish.set()
        await service.state.settled.wait()
        assert (await service.answer(QUESTION)).status_code == 200
    assert alive.status_code == 200
    assert ready.json()["stage"] == "verifying weights"
    for response in (ready, *refused):
        assert response.status_code == 503
        assert response.headers["content-type"] == "application/problem+json"
        assert re.fullmatch("[0-9]+", response.headers["retry-after"])
        assert response.json()["detail"] == "the ensemble is still loading: verifying weights"


async def test_a_failed_load_says_why() -> None:
    async def load(report: Callable[[str], None]) -> LoadedEnsemble:
        raise DamagedModelError("weights", "SHA-256 1", "2")

    async with running(load=load) as service:
        ready = await service.client.get("/ready")
        answer = await service.answer(QUESTION)
        assert (await service.client.get("/health")).status_code == 200
    for response in (ready, answer):
        assert response.status_code == 503
        assert "weights: found SHA-256 1; expected 2" in response.json()["detail"]


async def test_a_load_that_fails_unexpectedly_gives_no_internals_away() -> None:
    async def load(report: Callable[[str], None]) -> LoadedEnsemble:
        raise ValueError("a password")

    async with running(load=load) as service:
        response = await service.client.get("/ready")
    assert response.status_code == 503
    assert "password" not in response.text


async def test_stopping_while_loading_cancels_it_and_stopping_later_closes_the_engine() -> None:
    cancelled = asyncio.Event()

    async def load(report: Callable[[str], None]) -> LoadedEnsemble:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        raise AssertionError

    async with running(load=load, settled=False):
        await asyncio.sleep(0)
    assert cancelled.is_set()
    async with running() as service:
        assert not service.engine.closed
    assert service.engine.closed


async def test_metrics_count_outcomes_and_members() -> None:
    async with running(FakeEngine(failing={"second"})) as service:
        before = (await service.client.get("/metrics")).text
        await service.answer(QUESTION)
        await service.client.post("/answers", json=[QUESTION, "broken"])
        await service.answer({"question": ""})
        service.engine.failing.clear()
        await service.answer(QUESTION)
        response = await service.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert 'aiac_answers_total{outcome="complete"} 0.0' in before
    expected = [
        'aiac_answers_total{outcome="complete"} 1.0',
        'aiac_answers_total{outcome="degraded"} 2.0',
        'aiac_answers_total{outcome="refused"} 2.0',
        "aiac_answer_seconds_count 3.0",
        'aiac_answer_seconds_bucket{le="6.0"} 3.0',
        "aiac_batch_questions_total 2.0",
        'aiac_member_failures_total{member="second"} 2.0',
        "aiac_in_flight 0.0",
    ]
    assert [line for line in expected if line not in response.text.splitlines()] == []


async def test_metrics_show_what_is_in_flight() -> None:
    engine = FakeEngine(gate=asyncio.Event())
    async with running(engine) as service:
        answer = asyncio.create_task(service.answer(QUESTION))
        await engine.entered.wait()
        assert "aiac_in_flight 1.0" in (await service.client.get("/metrics")).text
        engine.gate.set()
        await answer
