"""What a sample says about an agent, and how sure it is. Counts in, numbers out; scipy where it has them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from agents.core.schema import LETTERS

CONFIDENCE = 0.95


def wilson_interval(correct: int, rows: int) -> tuple[float, float]:
    """The 95% Wilson score interval of a proportion. Raises ValueError for no rows."""
    from scipy.stats import binomtest

    interval = binomtest(correct, rows).proportion_ci(confidence_level=CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def mcnemar_p(a_correct: Sequence[bool], b_correct: Sequence[bool]) -> float:
    """McNemar's exact two-sided p that two agents are equally often right on the same rows."""
    from scipy.stats import binomtest

    only_a = sum(a and not b for a, b in zip(a_correct, b_correct, strict=True))
    only_b = sum(b and not a for a, b in zip(a_correct, b_correct, strict=True))
    return float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0


def bootstrap_interval(differences: Sequence[float], *, seed: int = 0) -> tuple[float, float]:
    """The 95% percentile bootstrap interval of the mean of paired differences (Efron 1979); degenerate if all agree."""
    from scipy.stats import bootstrap

    if len(set(differences)) < 2:
        return differences[0], differences[0]
    found = bootstrap(
        (differences,), _mean, confidence_level=CONFIDENCE, method="percentile", n_resamples=2_000, batch=100, rng=seed
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _mean(values: Any, axis: int) -> Any:
    return values.mean(axis=axis)


def expected_calibration_error(confidences: Sequence[float], correct: Sequence[bool], bins: int = 10) -> float:
    """The mean gap between confidence and accuracy over equal-width bins, weighted by size (Guo et al. 2017)."""
    gap = 0.0
    for b in range(bins):
        inside = [i for i, c in enumerate(confidences) if min(int(c * bins), bins - 1) == b]
        if inside:
            gap += abs(math.fsum(confidences[i] for i in inside) - sum(correct[i] for i in inside))
    return gap / len(confidences)


def brier_score(distributions: Sequence[Sequence[float]], keys: Sequence[int]) -> float:
    """The mean squared distance between a distribution and the key: 0 is perfect, 2 is the worst."""
    return math.fsum(
        math.fsum((p - (i == key)) ** 2 for i, p in enumerate(distribution))
        for distribution, key in zip(distributions, keys, strict=True)
    ) / len(keys)


def row_nlls(distributions: Sequence[Sequence[float]], keys: Sequence[int]) -> list[float]:
    """−ln(probability of the key) of each row, in nats; log(n) is chance for n choices."""
    return [-math.log(max(d[key], 1e-12)) for d, key in zip(distributions, keys, strict=True)]


def negative_log_likelihood(distributions: Sequence[Sequence[float]], keys: Sequence[int]) -> float:
    """The mean of ``row_nlls``."""
    return math.fsum(row_nlls(distributions, keys)) / len(keys)


def recall_spread(predicted: Sequence[int], keys: Sequence[int]) -> float | None:
    """Position bias: the standard deviation of recall over the keys' letters (RStd, Zheng et al. 2024).

    0 means a key is found equally often wherever it stands. Letters that are the key of fewer than ten rows are left
    out; None when fewer than two remain.
    """
    recalls = []
    for letter, rows in Counter(keys).items():
        if rows >= 10:
            hits = sum(p == k == letter for p, k in zip(predicted, keys, strict=True))
            recalls.append(hits / rows)
    if len(recalls) < 2:
        return None
    mean = math.fsum(recalls) / len(recalls)
    return math.sqrt(math.fsum((r - mean) ** 2 for r in recalls) / len(recalls))


def letter_shares(indices: Sequence[int]) -> dict[str, float]:
    """The share of each letter among answers or keys, without the letters that never occur."""
    counts = Counter(indices)
    return {LETTERS[i]: counts[i] / len(indices) for i in sorted(counts)}


def percentiles(values: Sequence[float], points: Sequence[int] = (50, 95, 99)) -> dict[str, float]:
    """Percentiles by the nearest-rank method, keyed ``p50`` and so on."""
    ordered = sorted(values)
    return {f"p{point}": ordered[max(math.ceil(point / 100 * len(ordered)) - 1, 0)] for point in points}
