"""Pools of distributions against numpy, all at once and as they arrive."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.pooling import FLOOR, AnytimePooling, Pooling, likeliest, pool_distributions

reproducibly = settings(derandomize=True, deadline=None)
POOLINGS: list[Pooling] = ["linear", "logarithmic"]
poolings = st.sampled_from(POOLINGS)


@st.composite
def ensembles(draw: st.DrawFn) -> tuple[list[list[float]], list[float]]:
    """Distributions over the same choices, and a positive weight for each."""
    n, members = draw(st.integers(2, 6)), draw(st.integers(1, 5))
    raw = draw(st.lists(st.lists(st.floats(0.01, 1), min_size=n, max_size=n), min_size=members, max_size=members))
    weights = draw(st.lists(st.floats(0.01, 5), min_size=members, max_size=members))
    return [[value / sum(row) for value in row] for row in raw], weights


@reproducibly
@given(ensembles())
def test_a_linear_pool_is_the_weighted_mean(case: tuple[list[list[float]], list[float]]) -> None:
    distributions, weights = case
    np.testing.assert_allclose(
        pool_distributions("linear", distributions, weights),
        np.average(distributions, axis=0, weights=weights),
        rtol=1e-9,
    )


@reproducibly
@given(ensembles())
def test_a_logarithmic_pool_is_the_weighted_geometric_mean(case: tuple[list[list[float]], list[float]]) -> None:
    distributions, weights = case
    means = np.exp(np.average(np.log(distributions), axis=0, weights=weights))
    np.testing.assert_allclose(
        pool_distributions("logarithmic", distributions, weights), means / means.sum(), rtol=1e-9
    )


@pytest.mark.parametrize("pooling", POOLINGS)
def test_only_the_ratio_of_weights_counts(pooling: Pooling) -> None:
    distributions = [[0.9, 0.1], [0.2, 0.8]]
    np.testing.assert_allclose(
        pool_distributions(pooling, distributions, [3, 1]), pool_distributions(pooling, distributions, [0.3, 0.1])
    )


def test_one_members_zero_does_not_veto_the_others() -> None:
    found = pool_distributions("logarithmic", [[1.0, 0.0], [0.01, 0.99]], [1, 9])
    expected = np.exp(np.average(np.log([[1.0, FLOOR], [0.01, 0.99]]), axis=0, weights=[1, 9]))
    np.testing.assert_allclose(found, expected / expected.sum())
    assert found[1] > 0.5


@pytest.mark.parametrize(("distributions", "weights"), [([], []), ([[0.5, 0.5]], [0.0])])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_there_must_be_something_to_pool(
    pooling: Pooling, distributions: list[list[float]], weights: list[float]
) -> None:
    with pytest.raises(ValueError, match="nothing of positive weight to pool"):
        pool_distributions(pooling, distributions, weights)


@reproducibly
@given(ensembles(), poolings, st.data())
def test_the_order_of_arrival_does_not_matter(
    case: tuple[list[list[float]], list[float]], pooling: Pooling, data: st.DataObject
) -> None:
    distributions, weights = case
    names = [f"m{i}" for i in range(len(weights))]
    arrivals = data.draw(st.permutations(range(len(weights))))
    arriving = AnytimePooling(pooling, dict(zip(names, weights, strict=True)))
    for i in arrivals:
        arriving.report(names[i], distributions[i])
    assert arriving.current() == pool_distributions(pooling, distributions, weights)


@reproducibly
@given(ensembles(), poolings)
def test_a_members_last_report_counts(case: tuple[list[list[float]], list[float]], pooling: Pooling) -> None:
    distributions, weights = case
    weighted = {f"m{i}": weight for i, weight in enumerate(weights)}
    revised, direct = AnytimePooling(pooling, weighted), AnytimePooling(pooling, weighted)
    for i, values in enumerate(distributions):
        revised.report(f"m{i}", values[::-1])
    for i, values in enumerate(distributions):
        revised.report(f"m{i}", values)
        direct.report(f"m{i}", values)
    assert revised.current() == direct.current()


def test_those_that_have_not_reported_do_not_weigh() -> None:
    arriving = AnytimePooling("linear", {"early": 0.1, "late": 0.9})
    assert arriving.current() is None
    arriving.report("early", [0.3, 0.7])
    assert arriving.current() == pytest.approx([0.3, 0.7])


def test_a_member_of_no_weight_says_nothing_alone() -> None:
    arriving = AnytimePooling("linear", {"measured": 0.0, "voting": 1.0})
    arriving.report("measured", [1.0, 0.0])
    assert arriving.current() is None
    arriving.report("voting", [0.25, 0.75])
    assert arriving.current() == pytest.approx([0.25, 0.75])


def test_a_member_without_a_weight_is_unknown() -> None:
    with pytest.raises(KeyError, match="stranger"):
        AnytimePooling("linear", {"known": 1.0}).report("stranger", [1.0])


@pytest.mark.parametrize(
    ("scores", "place"), [([0.1, 0.6, 0.3], 1), ([0.25] * 4, 0), ([0.2, 0.4, 0.4], 1), ([-3.0, -1.0], 1)]
)
def test_the_likeliest_choice_is_the_first_of_the_greatest(scores, place):
    assert likeliest(scores) == place == int(np.argmax(scores))
