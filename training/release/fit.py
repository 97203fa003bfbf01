"""Step three of a release: temperatures and weights by likelihood on half of the rows; the pool by the other half."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.core.pooling import Pooling, likeliest, pool_distributions
from agents.core.scoring import distribution
from training.support.statistics import bootstrap_interval, negative_log_likelihood, row_nlls

Scores = Mapping[str, Sequence[Sequence[float]]]
"""By member: for each row, one score a choice, before any temperature."""

MIN_WEIGHT = 0.02
"""A fitted weight below this is set to 0: the member would cost its time and change next to nothing."""


@dataclass(frozen=True)
class CandidatePool:
    """One way to pool: its weights, and what it measures on the rows it was not fitted on."""

    name: str
    pooling: Pooling
    weights: dict[str, float]
    row_nll_nats: list[float]
    correct: int

    @property
    def rows(self) -> int:
        return len(self.row_nll_nats)

    @property
    def nll_nats(self) -> float:
        return math.fsum(self.row_nll_nats) / self.rows

    @property
    def complexity(self) -> tuple[int, bool, bool]:
        """What makes a pool less simple: more members, then weights that differ, then logarithms."""
        used = [weight for weight in self.weights.values() if weight > 0]
        return len(used), len(set(used)) > 1, self.pooling == "logarithmic"

    def summary(self) -> dict[str, Any]:
        """What a manifest keeps of it."""
        return {
            "name": self.name,
            "pooling": self.pooling,
            "weights": self.weights,
            "nll_nats": self.nll_nats,
            "correct": self.correct,
            "rows": self.rows,
        }


@dataclass(frozen=True)
class ChosenPool:
    """The pool that is taken, and one sentence on why."""

    pool: CandidatePool
    reason: str


@dataclass(frozen=True)
class EnsembleFit:
    """A temperature for each member, the pools with the likeliest first, the one chosen, and the rows not fitted on."""

    temperatures: dict[str, float]
    pools: list[CandidatePool]
    chosen: ChosenPool
    report_rows: list[int]


def choose_pool(candidates: Sequence[CandidatePool]) -> ChosenPool:
    """The simplest pool that is not significantly worse than the likeliest, the first of ``candidates``.

    Worse means that the 95% bootstrap interval of the mean difference in nats, row by row, lies above zero.
    """
    best = candidates[0]
    for candidate in sorted(candidates, key=lambda c: (c.complexity, c.nll_nats)):
        if candidate is best or candidate.complexity == best.complexity:
            break
        differences = [a - b for a, b in zip(candidate.row_nll_nats, best.row_nll_nats, strict=True)]
        low, high = bootstrap_interval(differences)
        if low <= 0:
            mean = math.fsum(differences) / len(differences)
            return ChosenPool(
                candidate,
                f"{candidate.name} is the simplest pool not significantly worse than the likeliest, {best.name}: "
                f"{mean:+.4f} nats a row [{low:+.4f}, {high:+.4f}], {best.rows} rows",
            )
    simpler = any(candidate.complexity < best.complexity for candidate in candidates)
    why = "every simpler one is significantly worse" if simpler else "none is simpler"
    return ChosenPool(best, f"{best.name} is the likeliest of {len(candidates)} pools, and {why}")


def split_halves(rows: Sequence[Any], seed: int) -> tuple[list[int], list[int]]:
    """Two random halves of the rows' indices, the same for the same seed: one to fit on, one to report on."""
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)  # noqa: S311
    middle = len(order) // 2
    return sorted(order[:middle]), sorted(order[middle:])


def fit_ensemble(scores: Scores, keys: Sequence[int], seed: int) -> EnsembleFit:
    """Fit every pool on one half of the rows, measure it on the other, and choose one."""
    fit_rows, report_rows = split_halves(keys, seed)
    temperatures, pools = fit_pools(scores, keys, fit_rows, report_rows)
    return EnsembleFit(temperatures, pools, choose_pool(pools), report_rows)


def fit_temperature(scores: Sequence[Sequence[float]], keys: Sequence[int]) -> float:
    """The temperature in [0.01, 100] under which the keys are likeliest."""
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood([distribution(row, math.exp(log_temperature)) for row in scores], keys)

    return math.exp(float(minimize_scalar(loss, bounds=(math.log(0.01), math.log(100)), method="bounded").x))


def fit_weights(
    pooling: Pooling, distributions: Mapping[str, Sequence[Sequence[float]]], keys: Sequence[int]
) -> dict[str, float]:
    """Weights on the simplex under which the keys are likeliest in the pool."""
    from scipy.optimize import minimize

    names = list(distributions)
    rows = list(zip(*distributions.values(), strict=True))

    def loss(free: Any) -> float:
        weights = [float(value) for value in free]
        return negative_log_likelihood([pool_distributions(pooling, row, weights) for row in rows], keys)

    start = [1 / len(names)] * len(names)
    result = minimize(
        loss,
        start,
        method="SLSQP",
        bounds=[(0, 1)] * len(names),
        constraints={"type": "eq", "fun": lambda free: sum(free) - 1},
    )
    fitted = {name: float(w) for name, w in zip(names, result.x, strict=True)}
    least = min(MIN_WEIGHT, max(fitted.values()))
    kept = {name: w if w >= least else 0.0 for name, w in fitted.items()}
    total = sum(kept.values())
    return {name: round(weight / total, 4) for name, weight in kept.items()}


def fit_pools(
    scores: Scores, keys: Sequence[int], fit_rows: Sequence[int], report_rows: Sequence[int]
) -> tuple[dict[str, float], list[CandidatePool]]:
    """Temperatures fitted on ``fit_rows``, and every pool worth considering measured on ``report_rows``, best first.

    The pools: each member alone, all alike, and weights fitted, linear and logarithmic. They are ranked by likelihood,
    which tells more from few rows than the count of right answers does; ``choose_pool`` takes one.
    """
    fit_keys = [keys[i] for i in fit_rows]
    temperatures = {name: fit_temperature([member[i] for i in fit_rows], fit_keys) for name, member in scores.items()}
    distributions = {name: [distribution(row, temperatures[name]) for row in member] for name, member in scores.items()}
    fitting = {name: [rows[i] for i in fit_rows] for name, rows in distributions.items()}
    names = list(scores)
    plans: list[tuple[str, Pooling, dict[str, float]]] = [
        (name, "linear", {other: float(other == name) for other in names}) for name in names
    ]
    if len(names) > 1:
        uniform = dict.fromkeys(names, round(1 / len(names), 4))
        plans += [("uniform linear", "linear", uniform), ("uniform logarithmic", "logarithmic", uniform)]
        plans += [
            (f"fitted {pooling}", pooling, fit_weights(pooling, fitting, fit_keys))
            for pooling in ("linear", "logarithmic")
        ]
    candidates = [_measure(name, how, weights, distributions, keys, report_rows) for name, how, weights in plans]
    return temperatures, sorted(candidates, key=lambda candidate: candidate.nll_nats)


def _measure(
    name: str,
    pooling: Pooling,
    weights: dict[str, float],
    distributions: Mapping[str, Sequence[Sequence[float]]],
    keys: Sequence[int],
    rows: Sequence[int],
) -> CandidatePool:
    voting = [member for member, weight in weights.items() if weight > 0]
    pooled = [
        pool_distributions(pooling, [distributions[m][i] for m in voting], [weights[m] for m in voting]) for i in rows
    ]
    row_keys = [keys[i] for i in rows]
    correct = sum(likeliest(d) == key for d, key in zip(pooled, row_keys, strict=True))
    return CandidatePool(name, pooling, weights, row_nlls(pooled, row_keys), correct)
