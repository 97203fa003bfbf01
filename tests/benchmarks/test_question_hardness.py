"""The benchmark of hardness: selection, judges and the test between two groups."""

from __future__ import annotations

import pytest
from agent_fakes import ScriptedEngine, letter_member

from agents.core.errors import InputError
from agents.core.schema import Question
from benchmarks.question_hardness import UNSELECTED_SEED, compared, drawn, hardest, key_probabilities, member_of

SKY = Question("Which colour is the sky at noon?", ("Blue", "Red", "Green", "Black"), key=0)


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
