"""The key of a question that nothing proves stands only when the whole ensemble picks it under every cyclic order."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from agent_fakes import CAPITAL, SHA, ScriptedEngine, letter_member, manifest_of
from gate_fakes import KEYED, PROPOSAL, PlaceEngine, voters_on
from question_fakes import WatchedPriorities

from agents.asking.gates.agreement import DISAGREES, MIN_PROBABILITY, NO_KEY, TOO_LONG, UNSTEADY, UNSURE, AgreementGate
from agents.asking.proposal import Proposal, RejectedError
from agents.core.errors import EngineError
from agents.core.manifest import Member
from agents.support.priority import PriorityGate


def gate_on(
    engine: ScriptedEngine,
    *members: Member,
    priorities: PriorityGate | None = None,
    least: float = MIN_PROBABILITY,
    max_tokens: int | None = None,
) -> AgreementGate:
    voters = voters_on(engine, *members, max_tokens=max_tokens)
    return AgreementGate(manifest_of(*members), lambda: voters, priorities=priorities, min_probability=least)


def check(gate: AgreementGate, proposal: Proposal = PROPOSAL) -> Proposal:
    return asyncio.run(asyncio.wait_for(gate.check(proposal), 10))


def refused(gate: AgreementGate, proposal: Proposal = PROPOSAL) -> str:
    with pytest.raises(RejectedError) as caught:
        check(gate, proposal)
    return caught.value.reason


def test_a_key_picked_under_every_order_passes_with_its_proof():
    member = letter_member("letters", orders=2)
    passed = check(gate_on(ScriptedEngine(knows={"letters": "Paris"}), member))
    proof = passed.proof
    assert proof is not None
    assert json.loads(json.dumps(proof)) == proof
    assert [order["shown"] for order in proof["orders"]] == ["ABCD", "BCDA", "CDAB", "DABC"]
    for order in proof["orders"]:
        assert order["probabilities"] == pytest.approx([0.1, 0.7, 0.1, 0.1])
    assert proof["least_probability_of_key"] == pytest.approx(0.7)
    assert proof["base"] == {"model": "fake", "sha256": SHA}
    assert [(each["name"], each["asked"]) for each in proof["members"]] == [("letters", "in each order")]
    assert replace(passed, proof=None) == PROPOSAL


def test_a_question_whose_key_the_ensemble_does_not_pick_is_refused_after_one_order():
    engine = ScriptedEngine(knows={"letters": "Rome"})
    assert refused(gate_on(engine, letter_member("letters"))) == DISAGREES
    assert len(engine.calls) == 1


def test_a_member_that_follows_the_position_is_seen_although_its_mean_over_all_orders_would_hide_it():
    engine = PlaceEngine([0.1, 0.7, 0.1, 0.1])
    assert refused(gate_on(engine, letter_member("letters", orders=None))) == UNSTEADY
    assert len(engine.calls) == 2


@pytest.mark.parametrize("key", range(4))
def test_no_place_of_the_key_lets_a_member_that_follows_the_position_pass(key: int):
    proposal = replace(PROPOSAL, question=replace(CAPITAL, key=key))
    assert refused(gate_on(PlaceEngine([0.05, 0.05, 0.05, 0.85]), letter_member("letters")), proposal) in {
        DISAGREES,
        UNSTEADY,
    }


def test_a_pick_that_is_hardly_likelier_than_the_others_is_no_agreement():
    engine = ScriptedEngine(knows={"letters": "Paris"})
    flat = letter_member("letters", temperature=5.0)
    assert refused(gate_on(engine, flat)) == UNSURE
    assert check(gate_on(engine, flat, least=0.0)).proof is not None


def test_members_are_pooled_with_the_weights_of_the_manifest():
    engine = ScriptedEngine(knows={"heavy": "Paris", "light": "Rome"})
    heavy, light = letter_member("heavy", weight=3.0), letter_member("light", weight=1.0)
    proof = check(gate_on(engine, heavy, light)).proof
    assert proof is not None
    assert proof["orders"][2]["probabilities"] == pytest.approx([0.1, 0.55, 0.25, 0.1])
    assert refused(gate_on(engine, letter_member("heavy", weight=1.0), letter_member("light", weight=3.0))) == DISAGREES


def test_a_cloze_member_is_asked_once_since_no_order_changes_what_it_says():
    engine = ScriptedEngine(knows={"texts": "Paris"})
    proof = check(gate_on(engine, Member(name="texts", method="cloze", weight=1.0))).proof
    assert proof is not None
    assert proof["members"][0]["asked"] == "once"
    assert len(engine.calls) == 1
    assert len(proof["orders"]) == 4
    assert len({tuple(order["probabilities"]) for order in proof["orders"]}) == 1


def test_neither_the_explanation_nor_the_key_is_shown():
    engine = ScriptedEngine(knows={"letters": "Paris", "texts": "Paris"})
    check(gate_on(engine, letter_member("letters"), Member(name="texts", method="cloze_pmi", weight=1.0), least=0.0))
    shown = [text for _, text in engine.calls]
    assert len(shown) == 6
    assert not any("SECRET" in text or "508" in text for text in shown)
    orders = {text.index("Paris") for text in shown if "Choices:" in text}
    assert len(orders) == 4


def test_a_question_without_a_key_is_refused_without_asking_anybody():
    engine = ScriptedEngine()
    assert refused(gate_on(engine, letter_member("letters")), replace(PROPOSAL, question=CAPITAL)) == NO_KEY
    assert engine.calls == []


def test_a_question_that_must_be_cut_to_be_read_is_refused():
    engine = ScriptedEngine(knows={"letters": "Paris"})
    long = replace(PROPOSAL, question=replace(KEYED, text="Why? " * 400))
    assert refused(gate_on(engine, letter_member("letters"), max_tokens=500), long) == TOO_LONG


def test_a_member_that_is_not_served_makes_the_gate_unable_to_tell():
    engine = ScriptedEngine(knows={"a": "Paris"})
    a, b, measured = letter_member("a"), letter_member("b"), letter_member("measured", weight=0.0)
    serving = voters_on(engine, a, measured)
    gate = AgreementGate(manifest_of(a, b, measured), lambda: serving)
    with pytest.raises(EngineError, match="b not served now"):
        check(gate)
    assert check(AgreementGate(manifest_of(a, measured), lambda: serving)).proof is not None


@pytest.mark.parametrize(
    "engine", [ScriptedEngine(failing={"letters"}), ScriptedEngine(logprob=float("nan"))], ids=["failing", "nan"]
)
def test_an_engine_that_fails_or_gives_no_numbers_is_an_error_and_no_verdict(engine: ScriptedEngine):
    with pytest.raises(EngineError):
        check(gate_on(engine, letter_member("letters")))


def test_every_order_waits_until_answers_are_done_and_cancelling_between_orders_stops_it():
    engine = ScriptedEngine(knows={"letters": "Paris"})

    async def story() -> int:
        waiting = asyncio.Event()

        async def quiet() -> None:
            if engine.calls:
                waiting.set()
                await asyncio.Event().wait()

        gate = gate_on(engine, letter_member("letters"), priorities=WatchedPriorities(quiet))
        checking = asyncio.create_task(gate.check(PROPOSAL))
        await waiting.wait()
        checking.cancel()
        await asyncio.gather(checking, return_exceptions=True)
        return len(engine.calls)

    assert asyncio.run(asyncio.wait_for(story(), 10)) == 1


def test_cancelling_while_a_member_is_asked_cancels_the_engine_s_work():
    engine = ScriptedEngine(hanging={"letters"})

    async def story() -> bool:
        checking = asyncio.create_task(gate_on(engine, letter_member("letters")).check(PROPOSAL))
        await engine.entered.wait()
        checking.cancel()
        await asyncio.gather(checking, return_exceptions=True)
        return engine.cancellation("letters").is_set()

    assert asyncio.run(story())
