"""Fitting finds the temperature and the weights that made the data."""

from __future__ import annotations

import numpy as np
import pytest

from training.release.fit import (
    CandidatePool,
    choose_pool,
    fit_ensemble,
    fit_pools,
    fit_temperature,
    fit_weights,
    split_halves,
)
from training.support.statistics import negative_log_likelihood

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
    temperatures, candidates = fit_pools(members, keys, fit_rows, report_rows)
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
    _, candidates = fit_pools({"only": scores}, keys, range(10), range(10, 20))
    assert [(candidate.name, candidate.weights) for candidate in candidates] == [("only", {"only": 1.0})]


def candidate(name: str, weights: list[float], row_nll_nats: list[float], pooling: str = "linear") -> CandidatePool:
    named = {f"m{i}": weight for i, weight in enumerate(weights)}
    return CandidatePool(name, pooling, named, row_nll_nats, correct=0)  # type: ignore[arg-type]


def test_the_simplest_pool_that_is_not_significantly_worse_is_taken() -> None:
    random = np.random.default_rng(3)
    best = random.normal(1.0, 0.5, 300)
    noise = random.normal(0, 0.3, 300)
    alike = (best + noise - noise.mean() + 0.01).tolist()
    clearly_worse = (best + random.normal(0.2, 0.3, 300)).tolist()
    pools = [
        candidate("fitted", [0.7, 0.3], best.tolist()),
        candidate("uniform", [0.5, 0.5], alike),
        candidate("alone", [1.0, 0.0], clearly_worse),
    ]
    chosen = choose_pool(pools)
    assert chosen.pool.name == "uniform"
    assert "not significantly worse than the likeliest, fitted:" in chosen.reason
    assert choose_pool([pools[0], candidate("alone", [1.0, 0.0], alike)]).pool.name == "alone"
    alone = choose_pool([pools[0], pools[2]])
    assert alone.pool.name == "fitted"
    assert "every simpler one is significantly worse" in alone.reason


def test_of_equally_simple_pools_the_likeliest_is_taken() -> None:
    random = np.random.default_rng(4)
    best = random.normal(1.0, 0.5, 300)
    pools = [
        candidate("one", [1.0, 0.0], best.tolist()),
        candidate("other", [0.0, 1.0], (best + 0.001 * random.normal(size=300)).tolist()),
    ]
    assert choose_pool(pools).pool.name == "one"


def test_simplicity_counts_members_then_weights_then_logarithms() -> None:
    kinds = [
        candidate("alone", [1.0, 0.0], [1.0]),
        candidate("uniform", [0.5, 0.5], [1.0]),
        candidate("uniform log", [0.5, 0.5], [1.0], "logarithmic"),
        candidate("fitted", [0.6, 0.4], [1.0]),
        candidate("three", [0.3, 0.3, 0.3], [1.0]),
    ]
    assert sorted(kinds, key=lambda kind: kind.complexity) == kinds


def test_halves_share_nothing_and_leave_nothing_out() -> None:
    one, other = split_halves(range(101), seed=3)
    assert sorted(one + other) == list(range(101))
    assert (len(one), len(other)) == (50, 51)
    assert split_halves(range(101), seed=3) == (one, other)
    assert split_halves(range(101), seed=4) != (one, other)


def test_an_ensemble_is_fitted_on_one_half_and_measured_on_the_other() -> None:
    scores, keys = drawn(1.0)
    members = {"informed": scores, "noise": noise()}
    fit = fit_ensemble(members, keys, seed=3)
    fit_rows, report_rows = split_halves(keys, 3)
    assert fit.report_rows == report_rows
    assert (fit.temperatures, fit.pools) == fit_pools(members, keys, fit_rows, report_rows)
    assert fit.chosen == choose_pool(fit.pools)
