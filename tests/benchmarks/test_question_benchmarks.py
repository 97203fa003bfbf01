"""The parts of the two benchmarks of model questions and of hardness: what is counted, selected and compared."""

from __future__ import annotations

import asyncio

import pytest
from agent_fakes import Scribe, ScriptedEngine, answerer_on, letter_member, manifest_of

from agents.asking.writing_prompt import question_text
from agents.core.edition import load_edition
from agents.core.errors import InputError
from agents.core.schema import Question
from agents.ensemble.loading import LoadedEnsemble
from agents.ensemble.supervisor import EngineSupervisor
from benchmarks.model_questions import EDITION, measure
from benchmarks.question_hardness import UNSELECTED_SEED, compared, drawn, hardest, key_probabilities, member_of

SKY = Question("Which colour is the sky at noon?", ("Blue", "Red", "Green", "Black"), key=0)
EXPLANATION = "Air scatters blue light the most."


def test_every_draft_goes_through_the_gates_of_the_service_and_is_counted_by_them() -> None:
    long = question_text(Question("Why? " * 90, SKY.choices, key=0), EXPLANATION)
    keyless = '{"question": "Which colour is the sky?", "choices": ["Blue", "Red", "Green", "Grey"]}'
    french = question_text(Question("Quelle couleur le ciel a-t-il?", SKY.choices, key=0), EXPLANATION)
    bare = question_text(SKY, "Light.")
    wrong = question_text(Question(SKY.text, SKY.choices, key=3), EXPLANATION)
    right = question_text(SKY, EXPLANATION)
    engine = Scribe(knows={"m": "Blue"}, drafts=("{", keyless, long, french, bare, wrong, right, right))
    member = letter_member("m", orders=None)
    answerer = answerer_on(engine, member)
    ensemble = LoadedEnsemble(manifest_of(member), answerer, [EngineSupervisor.running(engine, answerer.voters)])
    found = asyncio.run(measure(ensemble, 8, 0, load_edition(EDITION)))
    assert [(row["gate"], row["entered"], row["reasons"]) for row in found["gates"]] == [
        ("propose", 8, {}),
        ("parse", 8, {"no key": 1, "not JSON": 1}),
        ("format", 6, {"the organisers' filter": 1}),
        ("English and content", 5, {"not English": 1}),
        ("length", 4, {"explanation too short or too long": 1}),
        ("duplicates", 3, {"similar text": 1}),
        ("key", 2, {"the ensemble picks another choice": 1}),
        ("pool", 1, {}),
    ]
    assert (found["pick_is_key"]["count"], found["pick_is_key"]["rows"]) == (1, 2)
    assert found["letters_named_as_key"] == {"A": 1, "B": 0, "C": 0, "D": 1}
    assert [row["question"] for row in found["passed"]] == [SKY.text]
    assert found["passed"][0]["least_probability_of_key"] == pytest.approx(0.7)


def test_the_hardest_tenth_are_the_questions_whose_keys_are_least_likely() -> None:
    pool = [Question(f"Question {i}?", SKY.choices, key=0) for i in range(20)]
    probabilities = [(i * 7 % 20) / 20 for i in range(20)]
    assert [probabilities[pool.index(question)] for question in hardest(pool, probabilities)] == [0.0, 0.05]


def test_two_groups_are_compared_by_fishers_exact_test() -> None:
    found = compared([True] + [False] * 9, [True] * 9 + [False])
    # By hand: tables with the same margins and at most this one's probability, 2 * (C(10,1) C(10,9) + 1) / C(20,10).
    assert found["fisher_p"] == pytest.approx(2 * (100 + 1) / 184_756)
    assert (found["hardest_tenth"]["correct"], found["unselected"]["correct"]) == (1, 9)


def test_a_puzzle_that_is_compared_with_is_none_of_the_pool() -> None:
    pool, others = drawn("series", "easy", 30, 0), drawn("series", "easy", 30, UNSELECTED_SEED)
    assert len(set(pool)) == 30
    assert not set(pool) & set(others)


def test_a_stand_in_is_a_base_member_as_fitted_or_the_base_model_by_another_method() -> None:
    model, fitted = member_of("starter")
    assert (model, fitted.kind) == ("SmolLM2-135M-Instruct", "base")
    assert member_of("starter:letter")[1].method == "letter"
    with pytest.raises(InputError, match="'guessing'; expected one of letter"):
        member_of("starter:guessing")


def test_a_question_counts_as_right_when_its_key_is_the_likeliest_choice() -> None:
    engine = ScriptedEngine(knows={None: "Blue"})
    asked = [SKY, Question(SKY.text, SKY.choices, key=1)]
    found = key_probabilities(engine, letter_member("m", orders=1), asked)
    assert [right for _, right in found] == [True, False]
    assert [probability for probability, _ in found] == pytest.approx([0.7, 0.1])
    assert len(engine.calls) == 8
