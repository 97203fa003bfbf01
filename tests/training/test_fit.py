"""Fitting finds the temperature and the weights that made the data."""

from __future__ import annotations

import numpy as np
import pytest

from training.fit import fit_candidates, fit_temperature, fit_weights
from training.statistics import negative_log_likelihood

ROWS, CHOICES = 400, 4


def softmax(scores: np.ndarray) -> np.ndarray:
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def drawn(temperature: float, rows: int = ROWS) -> tuple[list[list[float]], list[int]]:
    """Scores, and keys drawn from their softmax at a temperature."""
    random = np.random.default_rng(1)
    scores = random.normal(0, 3, (rows, CHOICES))
    keys = [int(random.choice(CHOICES, p=p)) for p in softmax(scores / temperature)]
    return scores.tolist(), keys


def noise(rows: int = ROWS) -> list[list[float]]:
    return np.random.default_rng(2).normal(0, 3, (rows, CHOICES)).tolist()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_planted_temperature_is_recovered(temperature: float) -> None:
    scores, keys = drawn(temperature, rows=1_500)
    assert fit_temperature(scores, keys) == pytest.approx(temperature, rel=0.15)


def test_a_temperature_stays_within_its_bounds() -> None:
    scores, keys = [[1.0, 0.0]] * 20, [1] * 20
    assert 50 < fit_temperature(scores, keys) <= 100
    assert 0.01 <= fit_temperature(scores, [0] * 20) < 0.1


@pytest.mark.parametrize("pooling", ["linear", "logarithmic"])
def test_the_informative_member_gets_the_weight(pooling: str) -> None:
    scores, keys = drawn(1.0)
    distributions = {"noise": softmax(np.asarray(noise())).tolist(), "informed": softmax(np.asarray(scores)).tolist()}
    weights = fit_weights(pooling, distributions, keys)  # type: ignore[arg-type]
    assert weights["informed"] > 0.85
    assert sum(weights.values()) == pytest.approx(1, abs=1e-3)


def test_a_weight_that_changes_next_to_nothing_is_zero() -> None:
    keys = [0, 1] * 50
    sure = [[0.99, 0.01] if key == 0 else [0.01, 0.99] for key in keys]
    wrong = [row[::-1] for row in sure]
    assert fit_weights("linear", {"sure": sure, "wrong": wrong}, keys) == {"sure": 1.0, "wrong": 0.0}


def test_many_members_alike_keep_a_weight() -> None:
    weights = fit_weights("linear", {f"m{i}": [[0.5, 0.5]] for i in range(51)}, [0])
    assert sum(weights.values()) > 0


def test_candidates_are_measured_on_the_rows_they_were_not_fitted_on_best_first() -> None:
    scores, keys = drawn(2.0)
    fit_rows, report_rows = list(range(0, ROWS, 2)), list(range(1, ROWS, 2))
    members = {"informed": scores, "noise": noise()}
    temperatures, candidates = fit_candidates(members, keys, fit_rows, report_rows)
    assert temperatures["informed"] == pytest.approx(2.0, rel=0.3)
    assert temperatures["noise"] > 5 * temperatures["informed"]
    assert {candidate.name for candidate in candidates} == {
        "informed",
        "noise",
        "uniform linear",
        "uniform logarithmic",
        "fitted linear",
        "fitted logarithmic",
    }
    assert [c.nll_nats for c in candidates] == sorted(c.nll_nats for c in candidates)
    assert candidates[-1].name == "noise"
    alone = next(candidate for candidate in candidates if candidate.name == "informed")
    assert alone.weights == {"informed": 1.0, "noise": 0.0}
    probabilities = softmax(np.asarray(scores) / temperatures["informed"])[report_rows]
    report_keys = [keys[i] for i in report_rows]
    assert alone.nll_nats == pytest.approx(negative_log_likelihood(probabilities.tolist(), report_keys))
    assert alone.correct == int((probabilities.argmax(axis=1) == report_keys).sum())
    assert alone.rows == len(report_rows)


def test_a_single_member_has_nothing_to_be_pooled_with() -> None:
    scores, keys = drawn(1.0, rows=20)
    _, candidates = fit_candidates({"only": scores}, keys, range(10), range(10, 20))
    assert [(candidate.name, candidate.weights) for candidate in candidates] == [("only", {"only": 1.0})]
