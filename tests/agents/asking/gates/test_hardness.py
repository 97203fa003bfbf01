"""Hardness is what an opponent of our own base would get wrong; position does not count."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import pytest
from agent_fakes import CAPITAL, ScriptedEngine, answerer_on, letter_member, manifest_of
from question_fakes import WatchedPriorities
from test_agreement import PROPOSAL, PlaceEngine, voters_on

from agents.answering.voter import Voter
from agents.asking.gates.hardness import HardnessGate, stand_in
from agents.asking.proposal import Proposal
from agents.core.errors import EngineError
from agents.core.manifest import Member
from agents.ensemble.loading import LoadedEnsemble
from agents.ensemble.supervisor import Host
from agents.support.priority import PriorityGate


def hardness(
    voter: Voter | None, proposal: Proposal = PROPOSAL, priorities: PriorityGate | None = None
) -> float | None:
    return asyncio.run(HardnessGate(lambda: voter, priorities=priorities).check(proposal)).hardness


def loaded_with(engine: ScriptedEngine, *members: Member) -> LoadedEnsemble:
    served = [member for member in members if member.weight > 0]
    return LoadedEnsemble(
        manifest_of(*members), answerer_on(engine, *served), [Host.running(engine, voters_on(engine, *members))]
    )


def serving_of(loaded: LoadedEnsemble) -> list[Voter]:
    return [*loaded.answerer.voters, *loaded.measured]


def adapter(name: str, weight: float) -> Member:
    return letter_member(name, weight=weight, kind="adapter", path=name, sha256="1" * 64)


@pytest.mark.parametrize(("knows", "expected"), [("Paris", 0.3), ("Rome", 0.9)])
def test_it_is_one_minus_the_stand_in_s_probability_of_the_key(knows: str, expected: float):
    [voter] = voters_on(ScriptedEngine(knows={"base": knows}), letter_member("base"))
    assert hardness(voter) == pytest.approx(expected)


def test_everything_else_about_the_proposal_stays():
    [voter] = voters_on(ScriptedEngine(knows={"base": "Paris"}), letter_member("base"))
    passed = asyncio.run(HardnessGate(lambda: voter).check(PROPOSAL))
    assert replace(passed, hardness=None) == PROPOSAL


@pytest.mark.parametrize("key", range(4))
def test_a_stand_in_that_follows_the_position_finds_every_question_equally_hard(key: int):
    engine = PlaceEngine([0.85, 0.05, 0.05, 0.05])
    voter = stand_in(serving_of(loaded_with(engine, letter_member("base", orders=1))))
    assert voter is not None
    assert hardness(voter, replace(PROPOSAL, question=replace(CAPITAL, key=key))) == pytest.approx(0.75)
    assert len(engine.calls) == 4


def test_without_a_stand_in_or_a_key_hardness_stays_unknown():
    [voter] = voters_on(ScriptedEngine(), letter_member("base"))
    assert hardness(None) is None
    assert hardness(voter, replace(PROPOSAL, question=CAPITAL)) is None


def test_a_number_that_is_none_is_the_engine_s_error():
    [voter] = voters_on(ScriptedEngine(logprob=math.nan), letter_member("base"))
    with pytest.raises(EngineError, match="base gave a distribution that is not finite"):
        hardness(voter)


def test_it_waits_until_answers_are_done():
    engine = ScriptedEngine(knows={"base": "Paris"})
    [voter] = voters_on(engine, letter_member("base"))
    calls_before: list[int] = []

    async def quiet() -> None:
        calls_before.append(len(engine.calls))

    assert hardness(voter, priorities=WatchedPriorities(quiet)) is not None
    assert calls_before == [0]


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
    voter = stand_in(serving_of(loaded_with(ScriptedEngine(), *members)))
    assert voter is not None
    assert voter.member.name == chosen


def test_where_nothing_serves_there_is_no_stand_in():
    loaded = loaded_with(ScriptedEngine(), letter_member("base"))
    loaded.answerer.set_voters([])
    assert stand_in(serving_of(loaded)) is None
