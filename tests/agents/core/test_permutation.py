"""Orders of choices and their inverse; the label prior estimated and taken out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.permutation import all_orders, correct_prior, cyclic_orders, estimate_prior, normalised, to_choices
from agents.core.scoring import distribution, letter_scores

reproducibly = settings(derandomize=True, deadline=None)
sizes = st.integers(2, 10)
logprob = st.floats(-30, 0)


def softmax(values: list[float]) -> np.ndarray:
    shifted = np.exp(np.asarray(values) - np.max(values))
    return shifted / shifted.sum()


def probabilities(draw: st.DrawFn, n: int) -> list[float]:
    return list(softmax(draw(st.lists(st.floats(-3, 3), min_size=n, max_size=n))))


@reproducibly
@given(sizes)
def test_a_full_cycle_shows_each_choice_at_each_place_once(n: int) -> None:
    orders = cyclic_orders(n)
    assert len(orders) == n
    for place in range(n):
        assert sorted(order[place] for order in orders) == list(range(n))


@reproducibly
@given(sizes, st.integers(1, 12))
def test_some_of_a_cycle_are_distinct_rotations_with_the_given_order_first(n: int, count: int) -> None:
    orders = cyclic_orders(n, count)
    assert orders[0] == tuple(range(n))
    assert len(set(orders)) == len(orders) == min(count, n)
    assert set(orders) <= set(cyclic_orders(n))


def test_two_of_four_rotations_are_half_a_turn_apart() -> None:
    assert cyclic_orders(4, 2) == [(0, 1, 2, 3), (2, 3, 0, 1)]


def test_all_orders_are_all_permutations_the_given_one_first() -> None:
    orders = all_orders(4)
    assert orders[0] == (0, 1, 2, 3)
    assert len(set(orders)) == 24


@reproducibly
@given(st.data())
def test_to_choices_inverts_showing_in_an_order(data: st.DataObject) -> None:
    n = data.draw(sizes)
    order = tuple(data.draw(st.permutations(range(n))))
    by_choice = data.draw(st.lists(logprob, min_size=n, max_size=n))
    assert to_choices(order, [by_choice[choice] for choice in order]) == by_choice


@reproducibly
@given(st.lists(st.floats(-1000, 1000), min_size=1, max_size=10))
def test_normalised_is_the_log_of_a_softmax(values: list[float]) -> None:
    expected = np.asarray(values) - np.logaddexp.reduce(values)
    np.testing.assert_allclose(normalised(values), expected, atol=1e-9)


@st.composite
def planted(draw: st.DrawFn) -> tuple[list[float], list[list[list[float]]]]:
    """A prior, and the label log-probs of questions on which a label has prior × belief in the choice shown there."""
    n = draw(st.integers(2, 6))
    prior = probabilities(draw, n)
    runs = []
    for _ in range(draw(st.integers(1, 4))):
        belief = probabilities(draw, n)
        runs.append(
            [[math.log(prior[i]) + math.log(belief[choice]) for i, choice in enumerate(o)] for o in cyclic_orders(n)]
        )
    return prior, runs


@reproducibly
@given(planted())
def test_a_planted_prior_is_recovered(case: tuple[list[float], list[list[list[float]]]]) -> None:
    prior, runs = case
    np.testing.assert_allclose(estimate_prior(runs), prior, rtol=1e-9)


@reproducibly
@given(planted())
def test_the_planted_prior_is_taken_out_of_a_single_order(case: tuple[list[float], list[list[list[float]]]]) -> None:
    prior, runs = case
    for by_order in runs:
        cleaned = [
            to_choices(o, correct_prior(run, prior)) for o, run in zip(cyclic_orders(len(prior)), by_order, strict=True)
        ]
        for scores in cleaned[1:]:
            np.testing.assert_allclose(scores, cleaned[0], atol=1e-9)


@reproducibly
@given(st.data())
def test_the_prior_is_the_mean_over_questions_of_the_mean_log_prob_of_a_label(data: st.DataObject) -> None:
    n, q = data.draw(st.integers(2, 5)), data.draw(st.integers(1, 3))
    flat = data.draw(st.lists(logprob, min_size=q * n * n, max_size=q * n * n))
    runs = np.asarray(flat).reshape(q, n, n)
    logs = runs - np.logaddexp.reduce(runs, axis=2, keepdims=True)
    expected = np.mean([softmax(list(one.mean(axis=0))) for one in logs], axis=0)
    found = estimate_prior(runs.tolist())
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert math.isclose(sum(found), 1, abs_tol=1e-9)


@reproducibly
@given(st.data())
def test_over_a_full_cycle_a_correction_changes_nothing(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 6))
    runs = [(order, data.draw(st.lists(logprob, min_size=n, max_size=n))) for order in cyclic_orders(n)]
    prior = list(softmax(data.draw(st.lists(st.floats(-3, 3), min_size=n, max_size=n))))
    np.testing.assert_allclose(
        distribution(letter_scores(runs, prior)), distribution(letter_scores(runs)), rtol=1e-6, atol=1e-12
    )


def test_over_one_order_a_correction_turns_the_answer() -> None:
    run = [((0, 1), [math.log(0.6), math.log(0.4)])]
    np.testing.assert_allclose(distribution(letter_scores(run, [0.75, 0.25])), [1 / 3, 2 / 3])


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([], "no question to estimate a prior from"),
        ([[[-1.0, -1.0]]], "a prior over 2 labels needs 2 cyclic orders of 2 labels for every question"),
        ([[[-1.0, -1.0], [-1.0]]], "a prior over 2 labels needs 2 cyclic orders"),
        ([[[-1.0] * 2] * 2, [[-1.0] * 3] * 3], "a prior over 2 labels needs 2 cyclic orders"),
    ],
)
def test_a_prior_needs_full_cycles(runs: list[list[list[float]]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        estimate_prior(runs)
