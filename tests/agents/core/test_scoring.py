"""Scores from log-probs, and distributions from scores, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.permutation import cyclic_orders
from agents.core.scoring import METHODS, cloze_scores, distribution, letter_scores

reproducibly = settings(derandomize=True, deadline=None)
TOKENS = [[-1.0, -2.0, -0.5], [-4.0], [-0.25, -0.25]]
UNCONDITIONAL = [[-2.0, -2.0, -2.0], [-1.0], [-0.5, -1.5]]
CHOICES = ["abcdefg", "é", "日本"]


def test_the_methods_are_these_four() -> None:
    assert METHODS == ("letter", "cloze", "cloze_per_byte", "cloze_pmi")


@reproducibly
@given(st.data())
def test_letter_scores_are_the_mean_log_probability_of_a_choice(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 6))
    orders = cyclic_orders(n, data.draw(st.integers(1, n)))
    runs = [data.draw(st.lists(st.floats(-20, 0), min_size=n, max_size=n)) for _ in orders]
    prior = np.asarray(data.draw(st.lists(st.floats(0.05, 1), min_size=n, max_size=n)))
    prior = prior / prior.sum()
    plain, corrected = np.zeros(n), np.zeros(n)
    for order, run in zip(orders, runs, strict=True):
        logs = np.asarray(run) - np.logaddexp.reduce(run)
        divided = logs - np.log(prior)
        plain[list(order)] += logs / len(orders)
        corrected[list(order)] += (divided - np.logaddexp.reduce(divided)) / len(orders)
    paired = list(zip(orders, runs, strict=True))
    np.testing.assert_allclose(letter_scores(paired), plain, atol=1e-9)
    np.testing.assert_allclose(letter_scores(paired, list(prior)), corrected, atol=1e-9)


def test_letter_scores_need_an_order() -> None:
    with pytest.raises(ValueError, match="no order to score"):
        letter_scores([])


def test_cloze_sums_the_tokens() -> None:
    assert cloze_scores("cloze", CHOICES, TOKENS) == [-3.5, -4.0, -0.5]


def test_cloze_per_byte_divides_by_the_length_in_utf_8() -> None:
    assert cloze_scores("cloze_per_byte", CHOICES, TOKENS) == [-3.5 / 7, -4.0 / 2, -0.5 / 6]


def test_cloze_pmi_takes_off_what_the_text_has_without_the_question() -> None:
    assert cloze_scores("cloze_pmi", CHOICES, TOKENS, UNCONDITIONAL) == [2.5, -3.0, 1.5]


def test_cloze_pmi_needs_the_unconditional_log_probs() -> None:
    with pytest.raises(ValueError, match="cloze_pmi cannot be scored from these log-probabilities"):
        cloze_scores("cloze_pmi", CHOICES, TOKENS)


def test_letter_is_no_cloze_method() -> None:
    with pytest.raises(ValueError, match="letter cannot be scored"):
        cloze_scores("letter", CHOICES, TOKENS, UNCONDITIONAL)


@reproducibly
@given(st.lists(st.floats(-50, 50), min_size=2, max_size=10), st.floats(0.05, 20))
def test_a_distribution_is_the_softmax_at_a_temperature(scores: list[float], temperature: float) -> None:
    scaled = np.asarray(scores) / temperature
    expected = np.exp(scaled - np.logaddexp.reduce(scaled))
    found = distribution(scores, temperature)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(sum(found), 1)


def test_a_higher_temperature_is_flatter() -> None:
    sharp, flat = (distribution([0.0, -1.0], temperature) for temperature in (0.5, 2.0))
    assert sharp[0] > flat[0] > 0.5
