"""Keys, levels and the split: counts that must come out exactly."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from agents.core.schema import Question
from training.curation.balance import balance_keys, refers_to_place
from training.curation.difficulty import heuristic_difficulty, levels_of
from training.curation.split import draw_in_proportion, validation_groups


def questions(count: int, choices: int, *, key: int = 0) -> list[Question]:
    return [Question(f"q{i}", tuple(f"c{i}.{j}" for j in range(choices)), key=key) for i in range(count)]


def keys(split: list[Question], choices: int) -> list[int]:
    counts = Counter(question.key for question in split if len(question.choices) == choices)
    return [counts[place] for place in range(choices)]


def spread(counts: list[int]) -> int:
    return max(counts) - min(counts)


@pytest.mark.parametrize("seed", range(5))
def test_each_letter_is_the_key_equally_often_in_each_split_and_in_all(seed: int) -> None:
    train, validation = balance_keys([questions(91, 4) + questions(38, 5), questions(14, 4) + questions(7, 5)], seed)
    for choices in (4, 5):
        assert spread(keys(train, choices)) <= 1
        assert spread(keys(validation, choices)) <= 1
        assert spread(keys(train + validation, choices)) <= 1


def test_balancing_changes_the_order_of_the_choices_and_nothing_else() -> None:
    before = questions(50, 4, key=2)
    [after] = balance_keys([before], 1)
    for old, new in zip(before, after, strict=True):
        assert new.text == old.text
        assert set(new.choices) == set(old.choices)
        assert new.key is not None
        assert new.choices[new.key] == old.choices[2]
    assert len({tuple(choice[-1] for choice in question.choices) for question in after}) > 12


def test_the_same_seed_gives_the_same_order_and_another_seed_another() -> None:
    assert balance_keys([questions(30, 4)], 3) == balance_keys([questions(30, 4)], 3)
    assert balance_keys([questions(30, 4)], 3) != balance_keys([questions(30, 4)], 4)


def test_a_row_that_refers_to_places_keeps_its_order_and_counts_towards_the_balance() -> None:
    fixed = [Question(f"f{i}", ("x", "y", "z", "All of the above"), key=3) for i in range(5)]
    [after] = balance_keys([[*questions(35, 4), *fixed]], 0)
    assert after[35:] == fixed
    assert keys(after, 4) == [10, 10, 10, 10]


def test_more_fixed_keys_than_a_letter_s_share_leave_the_others_balanced() -> None:
    fixed = [Question(f"f{i}", ("x", "y", "z", "none of the above"), key=3) for i in range(9)]
    [after] = balance_keys([[*questions(6, 4), *fixed]], 0)
    assert keys(after, 4)[3] == 9
    assert sum(keys(after, 4)[:3]) == 6


@pytest.mark.parametrize("choice", ["All of the above", "Both A and B", "neither (A) nor (C)", "Option B"])
def test_choices_that_mean_other_choices_are_seen(choice: str) -> None:
    assert refers_to_place(Question("q", ("x", "y", choice), key=0))


@pytest.mark.parametrize("choice", ["above the clouds", "a cat and a dog", "Plan", "None of these", "both of them"])
def test_ordinary_choices_are_not_taken_for_such(choice: str) -> None:
    assert not refers_to_place(Question("q", ("x", "y", choice), key=0))


def test_fifty_thousand_rows_split_into_45000_and_5000_with_no_group_on_both_sides() -> None:
    rng = random.Random(0)
    groups = [rng.randrange(20_000) if rng.random() < 0.4 else 20_000 + i for i in range(50_000)]
    chosen = validation_groups(groups, 0.1, 7)
    assert sum(group in chosen for group in groups) == 5_000


def test_a_group_larger_than_the_validation_share_is_trained_on() -> None:
    groups = [0] * 50 + list(range(1, 51))
    chosen = validation_groups(groups, 0.1, 0)
    assert 0 not in chosen
    assert len(chosen) == 10


def test_rows_are_drawn_from_each_source_in_proportion() -> None:
    strata = ["a"] * 600 + ["b"] * 301 + ["c"] * 99
    drawn = draw_in_proportion(strata, 100, 1)
    assert Counter(strata[i] for i in drawn) == {"a": 60, "b": 30, "c": 10}
    assert drawn == sorted(set(drawn)) == draw_in_proportion(strata, 100, 1)
    assert drawn != draw_in_proportion(strata, 100, 2)
    assert draw_in_proportion(strata, 5000, 1) == list(range(1000))


def test_levels_are_thirds_of_the_rows_by_difficulty() -> None:
    levels = levels_of([0.9, 0.1, 0.5, 0.5, 0.2, 0.8, 0.4])
    assert levels == ["hard", "easy", "medium", "medium", "easy", "hard", "easy"]
    assert Counter(levels_of([0.5] * 10)) == {"easy": 4, "medium": 3, "hard": 3}


def test_the_heuristic_counts_length_echo_and_chance() -> None:
    # By hand. Lengths: 1 / (1 + 1). No choice repeats the question: (1 + 0 - 0) / 2. Two choices: 1 - 1 / 2.
    assert heuristic_difficulty([Question("What is it?", ("iron", "wood"), key=0)]) == [pytest.approx(0.5)]
    # 3 / (3 + 1); the distractor repeats 1 of its 1 words, the key 0 of 3: (1 + 1) / 2; 1 / 2.
    long_key = Question("Is it wood?", ("a large stone", "wood"), key=0)
    assert heuristic_difficulty([long_key]) == [pytest.approx((0.75 + 1 + 0.5) / 3)]
    # The same with the other key: 1 / (1 + 3); (1 + 0 - 1) / 2; 1 / 2.
    assert heuristic_difficulty([Question(long_key.text, long_key.choices, key=1)]) == [pytest.approx(0.75 / 3)]
