"""Ways to make one weight delta of several: pure functions on dense tensors of equal shape [out, in].

PEFT's functions (``peft.utils.merge_utils``) agree with ``ties`` for weights of 1 alone. They elect signs without the
weights, divide by the count of agreeing deltas instead of their weights, and draw DARE's mask without a generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from training.adapters.oplora import top_singular_vectors


def weighted_sum(deltas: Sequence[Any], weights: Sequence[float]) -> Any:
    """Σ weight · delta; with weights that sum to 1, the average."""
    return sum(weight * delta for weight, delta in zip(weights, deltas, strict=True))


def ties(deltas: Sequence[Any], weights: Sequence[float], density: float) -> Any:
    """TIES (Yadav et al. 2023, arXiv 2306.01708): trim, elect a sign per entry, average what agrees with it.

    Of each delta the share ``density`` of its entries that is largest in magnitude is kept, matrix by matrix. Weights
    count in the election and in the average, so only their ratios matter; they must be positive.
    """
    return _elect_and_average([_trim(delta, density) for delta in deltas], weights)


def dare_ties(deltas: Sequence[Any], weights: Sequence[float], density: float, generator: Any) -> Any:
    """DARE (Yu et al. 2023, arXiv 2311.03099) in place of the trim of ``ties``.

    Each entry is kept with probability ``density`` and divided by it. ``generator`` is a torch.Generator of the CPU.
    """
    import torch

    kept = []
    for delta in deltas:
        mask = torch.rand(delta.shape, generator=generator) < density
        kept.append(torch.where(mask.to(delta.device), delta / density, 0.0))
    return _elect_and_average(kept, weights)


def truncate(delta: Any, rank: int) -> tuple[Any, Any]:
    """The factors A [rank, in] and B [out, rank] whose product is nearest to ``delta`` (Eckart and Young)."""
    import torch

    count = min(rank, *delta.shape)
    left, _ = top_singular_vectors(delta, count)
    a, b = left.T @ delta, left
    pad = rank - count
    return torch.nn.functional.pad(a, (0, 0, 0, pad)), torch.nn.functional.pad(b, (0, pad))


def _trim(delta: Any, density: float) -> Any:
    import torch

    count = max(int(density * delta.numel()), 1)
    kept = delta.abs().flatten().topk(count, sorted=False).indices
    trimmed = torch.zeros_like(delta).flatten()
    trimmed[kept] = delta.flatten()[kept]
    return trimmed.reshape(delta.shape)


def _elect_and_average(deltas: Sequence[Any], weights: Sequence[float]) -> Any:
    import torch

    stacked = torch.stack(list(deltas))
    shares = torch.tensor(list(weights), dtype=stacked.dtype, device=stacked.device)[:, None, None]
    sign = (shares * stacked).sum(dim=0).sign()
    agreeing = shares * ((stacked.sign() == sign) & (sign != 0))
    return (agreeing * stacked).sum(dim=0) / agreeing.sum(dim=0).clamp_min(torch.finfo(stacked.dtype).tiny)
