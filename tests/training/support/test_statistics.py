"""Statistics against closed formulas and sums done by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.support.statistics import (
    bootstrap_interval,
    brier_score,
    expected_calibration_error,
    letter_shares,
    mcnemar_p,
    negative_log_likelihood,
    percentiles,
    recall_spread,
    wilson_interval,
)

reproducibly = settings(derandomize=True, deadline=None)


@reproducibly
@given(st.integers(1, 2_000), st.data())
def test_the_wilson_interval_is_the_closed_formula(rows: int, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, rows))
    z, p = 1.959963984540054, correct / rows
    middle = (p + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z / (1 + z**2 / rows) * math.sqrt(p * (1 - p) / rows + z**2 / (4 * rows**2))
    assert wilson_interval(correct, rows) == pytest.approx((middle - half, middle + half), abs=1e-9)


def test_the_wilson_interval_of_no_rows_is_an_error() -> None:
    with pytest.raises(ValueError, match="n must be"):
        wilson_interval(0, 0)


def paired(only_a: int, only_b: int, both: int, neither: int) -> tuple[list[bool], list[bool]]:
    a = [True] * only_a + [False] * only_b + [True] * both + [False] * neither
    b = [False] * only_a + [True] * only_b + [True] * both + [False] * neither
    return a, b


@pytest.mark.parametrize(("only_a", "only_b"), [(9, 1), (1, 9), (3, 4), (12, 0), (5, 5), (1, 0)])
def test_mcnemar_is_the_two_sided_binomial_tail_of_the_disagreements(only_a: int, only_b: int) -> None:
    n, k = only_a + only_b, min(only_a, only_b)
    tail = sum(math.comb(n, i) for i in range(k + 1)) / 2**n
    assert mcnemar_p(*paired(only_a, only_b, both=7, neither=3)) == pytest.approx(min(1.0, 2 * tail))


def test_agents_that_never_disagree_are_equal() -> None:
    assert mcnemar_p([True, False], [True, False]) == 1.0


def test_calibration_error_is_the_gap_of_each_bin_weighted_by_its_size() -> None:
    confidences = [0.95, 0.91, 0.55, 0.55, 1.0]
    correct = [True, False, True, True, True]
    ninety = abs((0.95 + 0.91 + 1.0) / 3 - 2 / 3) * 3
    fifty = abs(0.55 - 1.0) * 2
    assert expected_calibration_error(confidences, correct) == pytest.approx((ninety + fifty) / 5)


def test_calibration_error_in_one_bin_is_the_gap_of_the_means() -> None:
    assert expected_calibration_error([0.2, 0.8], [True, True], bins=1) == pytest.approx(0.5)


def test_brier_score_by_hand() -> None:
    assert brier_score([[1.0, 0.0]], [0]) == 0
    assert brier_score([[1.0, 0.0]], [1]) == 2
    assert brier_score([[0.5, 0.3, 0.2], [0.1, 0.9, 0.0]], [1, 1]) == pytest.approx(
        ((0.25 + 0.49 + 0.04) + (0.01 + 0.01)) / 2
    )


def test_negative_log_likelihood_of_chance_is_the_log_of_the_number_of_choices() -> None:
    assert negative_log_likelihood([[0.25] * 4] * 3, [0, 1, 3]) == pytest.approx(math.log(4))
    assert negative_log_likelihood([[0.8, 0.2], [0.5, 0.5]], [1, 0]) == pytest.approx(-math.log(0.2 * 0.5) / 2)


def test_a_key_thought_impossible_costs_much_but_not_everything() -> None:
    assert negative_log_likelihood([[1.0, 0.0]], [1]) == pytest.approx(-math.log(1e-12))


def test_recall_spread_is_the_deviation_of_recall_by_letter() -> None:
    keys = [0] * 10 + [1] * 10
    predicted = [0] * 10 + [1] * 4 + [0] * 6
    assert recall_spread(predicted, keys) == pytest.approx(0.3)
    assert recall_spread(keys, keys) == 0


def test_recall_spread_leaves_rare_letters_out() -> None:
    keys = [0] * 10 + [1] * 10 + [2] * 9
    assert recall_spread([0] * 10 + [1] * 10 + [0] * 9, keys) == 0
    assert recall_spread([0] * 19, [0] * 10 + [1] * 9) is None


def test_letter_shares_are_in_order_and_without_absent_letters() -> None:
    shares = letter_shares([3, 0, 3, 3])
    assert list(shares.items()) == [("A", 0.25), ("D", 0.75)]


@reproducibly
@given(st.lists(st.floats(0, 100), min_size=1, max_size=300), st.sampled_from([50, 95, 99, 100]))
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(values: list[float], point: int) -> None:
    found = percentiles(values, [point])[f"p{point}"]
    assert found in values
    assert 100 * sum(value <= found for value in values) >= point * len(values)
    assert 100 * sum(value < found for value in values) < point * len(values)


def test_percentiles_of_a_hundred() -> None:
    assert percentiles(range(100, 0, -1)) == {"p50": 50, "p95": 95, "p99": 99}


def test_the_bootstrap_interval_covers_the_mean_as_often_as_it_says() -> None:
    random = np.random.default_rng(5)
    covered = 0
    for seed in range(100):
        low, high = bootstrap_interval(random.normal(0.3, 1.0, 80).tolist(), seed=seed)
        covered += low <= 0.3 <= high
    assert 87 <= covered <= 100
    assert bootstrap_interval([0.25] * 5) == (0.25, 0.25)
