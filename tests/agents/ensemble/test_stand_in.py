"""The stand-in for an opponent is the base member that counts most, asked in every order."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from agent_fakes import CAPITAL, ScriptedEngine, answerer_on, letter_member, manifest_of
from gate_fakes import PROPOSAL, PlaceEngine, voters_on

from agents.asking.gates.hardness import HardnessGate
from agents.core.manifest import Member
from agents.ensemble.loading import LoadedEnsemble
from agents.ensemble.stand_in import stand_in
from agents.ensemble.supervisor import EngineSupervisor


def loaded_with(engine: ScriptedEngine, *members: Member) -> LoadedEnsemble:
    served = [member for member in members if member.weight > 0]
    return LoadedEnsemble(
        manifest_of(*members),
        answerer_on(engine, *served),
        [EngineSupervisor.running(engine, voters_on(engine, *members))],
    )


def adapter(name: str, weight: float) -> Member:
    return letter_member(name, weight=weight, kind="adapter", path=name, sha256="1" * 64)


@pytest.mark.parametrize("key", range(4))
def test_a_stand_in_that_follows_the_position_finds_every_question_equally_hard(key: int):
    engine = PlaceEngine([0.85, 0.05, 0.05, 0.05])
    voter = stand_in(loaded_with(engine, letter_member("base", orders=1)))
    assert voter is not None
    proposal = replace(PROPOSAL, question=replace(CAPITAL, key=key))
    assert asyncio.run(HardnessGate(lambda: voter).check(proposal)).hardness == pytest.approx(0.75)
    assert len(engine.calls) == 4


@pytest.mark.parametrize(
    ("members", "chosen"),
    [
        ([letter_member("light", weight=0.1), letter_member("heavy", weight=0.9), adapter("tuned", 5.0)], "heavy"),
        ([adapter("tuned", 1.0), letter_member("measured", weight=0.0)], "measured"),
        ([adapter("strong", 0.7), adapter("weak", 0.3)], "weak"),
    ],
    ids=[
        "the base member that counts most",
        "a base member that is only measured",
        "or else the member of least weight",
    ],
)
def test_the_stand_in_is(members: list[Member], chosen: str):
    voter = stand_in(loaded_with(ScriptedEngine(), *members))
    assert voter is not None
    assert voter.member.name == chosen


def test_where_nothing_serves_there_is_no_stand_in():
    loaded = loaded_with(ScriptedEngine(), letter_member("base"))
    loaded.answerer.set_voters([])
    assert stand_in(loaded) is None
