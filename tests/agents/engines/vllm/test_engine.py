"""vLLM for real, on whatever device it finds: the contract, structured output, cancellation, death and return."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import signal
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
import pytest
from engine_contract import CONTRACT, PROMPT, Check
from polling import until

from agents.answering.answerer import Answerer
from agents.core.deadline import Deadline
from agents.core.errors import EngineError
from agents.core.manifest import Manifest
from agents.engines.vllm.engine import VllmEngine
from agents.engines.vllm.options import VllmOptions
from agents.ensemble.loading import find_ensemble
from agents.ensemble.manifest_file import read_manifest
from agents.ensemble.placement import EnsembleWeights
from agents.ensemble.supervisor import EngineSupervisor
from agents.ensemble.vllm_placement import place_on_vllm
from benchmarks.sample_questions import questions

pytestmark = [
    pytest.mark.model,
    pytest.mark.vllm,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed"),
]
OPTIONS = VllmOptions(max_model_len=1024, max_num_seqs=32)
LATE = {"ready_timeout_seconds": 1}
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string", "enum": ["A", "B"]}, "sure": {"type": "boolean"}},
    "required": ["answer", "sure"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def changed() -> asyncio.Event:
    """Set when what the supervisor serves has changed."""
    return asyncio.Event()


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return read_manifest(find_ensemble("default"))


@pytest.fixture(scope="module")
def supervisor(
    default_checkpoint: Path, manifest: Manifest, changed: asyncio.Event, loop: asyncio.Runner
) -> Iterator[EngineSupervisor]:
    """Of the default ensemble, open."""
    weights = EnsembleWeights(manifest.base.model, default_checkpoint, manifest.base.sha256, manifest.members, {})
    [spec] = place_on_vllm(OPTIONS, dtype="float32")(weights)
    supervisor = EngineSupervisor(spec, changed.set)
    loop.run(supervisor.open())
    yield supervisor
    loop.run(supervisor.close())


@pytest.fixture(scope="module")
def engine(supervisor: EngineSupervisor) -> VllmEngine:
    """The supervisor's, until the last test kills it."""
    assert isinstance(supervisor.engine, VllmEngine)
    return supervisor.engine


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
def test_contract(check: Check, engine: VllmEngine, plain: Any, loop: asyncio.Runner) -> None:
    loop.run(check(engine, plain))


def test_generation_keeps_to_a_json_schema(engine: VllmEngine, loop: asyncio.Runner) -> None:
    prompt = engine.tokenizer.encode_markup(
        engine.tokenizer.render_chat([{"role": "user", "content": "Is the sky blue? A) yes B) no"}])
    )
    generation = loop.run(engine.generate(prompt, max_tokens=60, temperature=1.0, seed=5, json_schema=SCHEMA))
    written = json.loads(engine.tokenizer.decode(generation.token_ids))
    assert set(written) == {"answer", "sure"}
    assert written["answer"] in {"A", "B"}


async def until_counted(condition: Callable[[], bool]) -> None:
    """vLLM says what it runs with the next step's statistics; there is no event to wait for."""
    await until(condition, guard_s=60, pause_s=0.01)


def test_after_a_cancellation_vllm_counts_no_running_request(engine: VllmEngine, loop: asyncio.Runner) -> None:
    async def story() -> None:
        work = [asyncio.create_task(engine.generate([*PROMPT, i], max_tokens=900)) for i in range(3)]
        await until_counted(lambda: engine.counters.running == 3)
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        await until_counted(lambda: engine.counters.running == 0)

    loop.run(story())


def test_answers_that_are_given_up_leave_nothing_running_or_waiting_in_vllm(
    supervisor: EngineSupervisor, engine: VllmEngine, manifest: Manifest, loop: asyncio.Runner
) -> None:
    answerer, counters = Answerer(manifest, supervisor.voters), engine.counters

    async def story() -> None:
        asked = islice(questions(seed=3), 80)
        work = [asyncio.create_task(answerer.answer(question, Deadline.never())) for question in asked]
        await until_counted(lambda: counters.waiting > 8 * OPTIONS.max_num_seqs)
        for task in work:
            task.cancel()
        steps = counters.steps
        given_up = await asyncio.gather(*work, return_exceptions=True)
        # No answer has more than eight requests.
        assert sum(isinstance(each, asyncio.CancelledError) for each in given_up) >= OPTIONS.max_num_seqs
        await until_counted(lambda: counters.running == counters.waiting == 0)
        # To compute them all takes eight steps more; to be told of them, one that is at work and the next.
        assert counters.steps - steps <= 4
        assert answerer.wait_s() == 0

    loop.run(story())


def test_an_engine_that_is_not_ready_in_time_is_ended_and_said_to_be_late(default_checkpoint: Path) -> None:
    others = engine_processes()
    with pytest.raises(EngineError, match=r"did not start on .*: not ready within 1 s"):
        VllmEngine.load(default_checkpoint, dtype="float32", options=OPTIONS.model_copy(update=LATE))
    assert engine_processes() <= others


def engine_processes() -> set[int]:
    """Those of vLLM's engine cores; Python's own helper processes are not to be killed with them."""
    return {child.pid for child in psutil.Process().children() if "EngineCore" in " ".join(child.cmdline())}


def test_a_killed_engine_is_seen_and_its_members_come_back_checked(
    engine: VllmEngine, supervisor: EngineSupervisor, changed: asyncio.Event, loop: asyncio.Runner
) -> None:
    async def story() -> None:
        assert [status.ready for status in supervisor.statuses] == [True]
        supervisor.watch()
        writing = asyncio.create_task(engine.generate(PROMPT, max_tokens=900))
        for process in engine_processes():
            os.kill(process, signal.SIGKILL)
        with pytest.raises(EngineError, match="stopped"):
            await asyncio.wait_for(writing, 60)
        await asyncio.wait_for(changed.wait(), 60)
        assert [status.ready for status in supervisor.statuses] == [False]
        changed.clear()
        await asyncio.wait_for(changed.wait(), 300)
        assert [status.ready for status in supervisor.statuses] == [True]
        assert supervisor.restarts == 1
        assert supervisor.engine is not engine

    loop.run(story())
