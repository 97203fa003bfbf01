"""Hardness is what an opponent of our own base would get wrong; position does not count."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import pytest
from agent_fakes import CAPITAL, ScriptedEngine, letter_member
from gate_fakes import PROPOSAL, voters_on
from question_fakes import WatchedPriorities

from agents.answering.voter import Voter
from agents.asking.gates.hardness import HardnessGate
from agents.asking.proposal import Proposal
from agents.core.errors import EngineError
from agents.support.priority import PriorityGate


def hardness(
    voter: Voter | None, proposal: Proposal = PROPOSAL, priorities: PriorityGate | None = None
) -> float | None:
    return asyncio.run(HardnessGate(lambda: voter, priorities=priorities).check(proposal)).hardness


@pytest.mark.parametrize(("knows", "expected"), [("Paris", 0.3), ("Rome", 0.9)])
def test_it_is_one_minus_the_stand_in_s_probability_of_the_key(knows: str, expected: float):
    [voter] = voters_on(ScriptedEngine(knows={"base": knows}), letter_member("base"))
    assert hardness(voter) == pytest.approx(expected)


def test_everything_else_about_the_proposal_stays():
    [voter] = voters_on(ScriptedEngine(knows={"base": "Paris"}), letter_member("base"))
    passed = asyncio.run(HardnessGate(lambda: voter).check(PROPOSAL))
    assert replace(passed, hardness=None) == PROPOSAL


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
