"""Ways to combine deltas, against the papers' definitions and PEFT's own functions where those agree with them."""

from __future__ import annotations

from typing import Any

import pytest

from agents.engines.adapter_factors import Factors
from training.merging.check import compare
from training.merging.methods import dare_ties, ties, truncate, weighted_sum


def random_deltas(count: int = 3, shape: tuple[int, int] = (12, 17), seed: int = 0) -> list[Any]:
    import torch

    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for _ in range(count)]


def test_a_weighted_sum_is_one() -> None:
    import torch

    one, two, three = random_deltas()
    assert torch.allclose(weighted_sum([one, two, three], [0.5, 0.25, -1]), 0.5 * one + 0.25 * two - three)


@pytest.mark.parametrize("density", [0.2, 0.5, 0.9])
def test_ties_with_equal_weights_is_what_peft_computes_on_the_same_dense_deltas(density: float) -> None:
    import torch
    from peft.utils.merge_utils import ties as peft_ties

    deltas = random_deltas()
    expected = peft_ties(deltas, torch.ones(3), density)
    assert torch.allclose(ties(deltas, [1, 1, 1], density), expected, atol=1e-6)
    assert torch.allclose(ties(deltas, [0.2, 0.2, 0.2], density), expected, atol=1e-6)


def test_ties_elects_the_heavier_sign_and_averages_only_what_agrees() -> None:
    import torch

    deltas = [torch.tensor([[3.0, 1.0, 0.0]]), torch.tensor([[-2.0, 2.0, 0.0]]), torch.tensor([[-2.0, 6.0, 0.0]])]
    assert ties(deltas, [1, 1, 1], 1.0).tolist() == [[-2.0, 3.0, 0.0]]
    # 2 · 3 outweighs 2 + 2; the second entry is the weighted mean (2 · 1 + 2 + 6) / 4.
    assert ties(deltas, [2, 1, 1], 1.0).tolist() == [[3.0, 2.5, 0.0]]


def test_ties_trims_each_delta_to_its_largest_entries() -> None:
    import torch

    delta = torch.tensor([[1.0, -5.0], [3.0, 0.5]])
    assert ties([delta], [1], 0.5).tolist() == [[0.0, -5.0], [3.0, 0.0]]


def test_dare_keeps_a_share_of_the_entries_rescaled_and_the_same_ones_for_the_same_seed() -> None:
    import torch

    [delta] = random_deltas(1, (200, 100))
    first, again, other = (dare_ties([delta], [1], 0.25, torch.Generator().manual_seed(s)) for s in (5, 5, 6))
    kept = first != 0
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert kept.float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert torch.allclose(first[kept], delta[kept] / 0.25)


def test_dare_that_drops_nothing_is_ties_that_trims_nothing() -> None:
    import torch

    deltas = random_deltas()
    found = dare_ties(deltas, [1, 2, 3], 1.0, torch.Generator().manual_seed(0))
    assert torch.allclose(found, ties(deltas, [1, 2, 3], 1.0))


@pytest.mark.parametrize("shape", [(12, 17), (17, 12)])
def test_truncation_is_the_best_approximation_of_its_rank(shape: tuple[int, int]) -> None:
    import torch

    [delta] = random_deltas(1, shape)
    a, b = truncate(delta, 5)
    left, values, right = torch.linalg.svd(delta.double(), full_matrices=False)
    best = (left[:, :5] * values[:5]) @ right[:5]
    assert (a.shape, b.shape) == ((5, shape[1]), (shape[0], 5))
    assert torch.allclose((b @ a).double(), best, atol=1e-5)


def test_a_rank_above_the_matrix_gives_the_whole_of_it_and_zeros() -> None:
    import torch

    [delta] = random_deltas(1)
    a, b = truncate(delta, 20)
    assert (a.shape, b.shape) == ((20, 17), (12, 20))
    assert torch.allclose(b @ a, delta, atol=1e-5)


def test_the_delta_of_dora_renormalises_every_row_to_its_magnitude() -> None:
    import torch

    weight, b, a = torch.tensor([[3.0, 0.0], [0.0, 1.0]]), torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0, 0.0]])
    # Row 0 stays (3, 0) and gets length 6; row 1 becomes (0.5 · 2, 1) and gets length 1.
    delta = Factors(a, b, 0.5, torch.tensor([6.0, 1.0])).delta(weight)
    root = 2**-0.5
    assert torch.allclose(weight + delta, torch.tensor([[6.0, 0.0], [root, root]]))


def test_a_comparison_is_in_nats_over_every_position_and_nan_is_infinitely_far() -> None:
    import math

    import torch

    target = [torch.tensor([[0.5, 0.5], [0.9, 0.1]]).log()]
    found = [torch.tensor([[0.25, 0.75], [0.9, 0.1]]).log()]
    result = compare(target, found)
    kl = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert result.positions == 2
    assert result.max_difference_nats == pytest.approx(math.log(2))
    assert result.mean_kl_nats == pytest.approx(kl / 2)
    assert result.top1_agreement == 0.5
    assert compare(target, [found[0] * float("nan")]).max_difference_nats == math.inf
