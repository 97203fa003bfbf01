"""The model as a source: the ensemble that is loaded at the moment writes and confirms, opened only when needed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from agent_fakes import ScriptedEngine, answerer_on, letter_member, manifest_of
from gate_fakes import PROPOSAL, WritingEngine
from question_fakes import WatchedPriorities

from agents.asking.proposal import RejectedError
from agents.core.edition import load_edition
from agents.core.errors import EngineError, NotReadyError
from agents.core.manifest import Member
from agents.core.topics import Topic
from agents.ensemble.loading import LoadedEnsemble
from agents.ensemble.placement import EngineSpec
from agents.ensemble.question_source import LazyModel, model_source, writing_engine
from agents.ensemble.supervisor import EngineSupervisor

EDITION = load_edition("feb2026_iitd")


def loaded_on(engine: ScriptedEngine, member: Member | None = None) -> LoadedEnsemble:
    member = member or letter_member("letters")
    return LoadedEnsemble(manifest_of(member), answerer_on(engine, member), [EngineSupervisor.running(engine, [])])


def supervisor_of(engine: Any, *adapters: str | None) -> EngineSupervisor:
    supervisor = EngineSupervisor(EngineSpec("engine", [], {str(name): name for name in adapters}, []), lambda: None)
    supervisor.engine = engine
    return supervisor


def test_it_covers_any_line_and_its_key_gate_asks_the_ensemble_that_is_loaded_by_then():
    ensembles = [loaded_on(ScriptedEngine(knows={"letters": word})) for word in ("Paris", "Rome")]
    source = model_source(lambda: ensembles[0], EDITION)
    assert source.proposer.covers(Topic("Quadratic Equations"))
    [gate] = source.gates
    assert gate.name == "key"
    proof = asyncio.run(gate.check(PROPOSAL)).proof
    assert proof is not None
    assert proof["least_probability_of_key"] == pytest.approx(0.7)
    del ensembles[0]
    with pytest.raises(RejectedError):
        asyncio.run(gate.check(PROPOSAL))


def test_while_no_ensemble_is_loaded_neither_writes_nor_confirms_and_both_say_why():
    def absent() -> LoadedEnsemble:
        raise NotReadyError("the ensemble is still loading: verifying weights")

    source = model_source(absent, EDITION)
    for work in (source.proposer.propose(Topic("Insects"), "easy", 1), source.gates[0].check(PROPOSAL)):
        with pytest.raises(EngineError, match="the ensemble is still loading: verifying weights"):
            asyncio.run(work)


def test_each_step_on_an_engine_waits_until_it_may():
    engine = ScriptedEngine(knows={"letters": "Paris"})
    waits: list[int] = []

    async def quiet() -> None:
        waits.append(len(engine.calls))

    source = model_source(lambda: loaded_on(engine), EDITION, priorities=WatchedPriorities(quiet))
    asyncio.run(source.gates[0].check(PROPOSAL))
    assert waits == [0, 1, 2, 3]
    with pytest.raises(EngineError):
        asyncio.run(source.proposer.propose(Topic("Insects"), "easy", 1))
    assert len(waits) == 5


def test_the_bare_model_writes_wherever_its_engine_stands():
    tuned, bare, gone = WritingEngine(), WritingEngine(), None
    manifest, answerer = manifest_of(letter_member("m")), answerer_on(ScriptedEngine(), letter_member("m"))

    def writes(*supervisors: EngineSupervisor) -> Any:
        return writing_engine(LoadedEnsemble(manifest, answerer, supervisors))

    assert writes(supervisor_of(tuned, "tuned"), supervisor_of(bare, "other", None)) is bare
    assert writes(supervisor_of(gone, None), supervisor_of(tuned, "tuned")) is tuned
    with pytest.raises(NotReadyError, match="no engine of fake runs now"):
        writes(supervisor_of(gone, None))


def test_a_lazy_model_is_opened_once_and_closed_if_it_was():
    engine = ScriptedEngine(knows={"letters": "Paris"})
    opened: list[LoadedEnsemble] = []

    async def open_ensemble() -> LoadedEnsemble:
        opened.append(loaded_on(engine))
        return opened[-1]

    async def run() -> None:
        model = LazyModel(open_ensemble, EDITION)
        await model.close()
        with pytest.raises(EngineError, match="has not been opened"):
            await model.source.gates[0].check(PROPOSAL)
        for _ in range(2):
            await model.open()
        assert len(opened) == 1
        assert (await model.source.gates[0].check(PROPOSAL)).proof is not None
        await model.close()

    asyncio.run(run())
    assert engine.closed
