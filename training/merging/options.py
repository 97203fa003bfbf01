"""What a merge may be asked to do, and which adapters that suits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from agents.core.errors import InputError
from training.adapters.storage import Dtype
from training.merging.factors import Adapter
from training.merging.results import require_served

How = Literal["checkpoint", "lora", "linear", "svd", "ties", "dare_ties"]


@dataclass(frozen=True)
class MergeOptions:
    """How to merge. Raises InputError for options that do not go together.

    ``weights``: one an adapter; None is equal shares. ``rank``: of an approximate adapter; None is the largest of the
    adapters' ranks. ``density``: the share of entries that TIES and DARE keep. ``seed``: of DARE's draw. ``dtype``: of
    what is written.
    """

    how: How
    weights: tuple[float, ...] | None = None
    rank: int | None = None
    density: float = 0.5
    seed: int = 0
    dtype: Dtype = "float32"
    allow_approximate: bool = False

    def __post_init__(self) -> None:
        for field, value, known in (("how", self.how, get_args(How)), ("dtype", self.dtype, get_args(Dtype))):
            if value not in known:
                raise InputError(field, repr(value), f"one of {', '.join(known)}")
        if not 0 < self.density <= 1:
            raise InputError("density", str(self.density), "more than 0 and at most 1")
        if self.rank is not None:
            if self.how in ("checkpoint", "linear"):
                raise InputError("rank", str(self.rank), f"none, for {self.how} is exact; svd takes a rank")
            if self.rank < 1:
                raise InputError("rank", str(self.rank), "at least 1")
            require_served(self.rank)
        self._check_weights(self.weights or ())

    def _check_weights(self, weights: Sequence[float]) -> None:
        for weight in weights:
            if not math.isfinite(weight):
                raise InputError("weights", str(weight), "finite numbers")
            if self.by_sign and weight <= 0:
                raise InputError("weights", str(weight), f"positive weights, for {self.how} divides by their sum")
        if weights and self.how == "lora":
            raise InputError("weights", f"{len(weights)} with lora", "none; linear takes weights")

    @property
    def by_sign(self) -> bool:
        """Whether the merge elects signs, and so is not a sum of deltas."""
        return self.how in ("ties", "dare_ties")

    def weights_of(self, adapters: Sequence[Adapter]) -> tuple[float, ...]:
        """One weight an adapter. Raises InputError for another number of them than of adapters, and for no adapters."""
        if not adapters:
            raise InputError("adapters", "none", "at least one adapter folder")
        if self.weights is None:
            return (1 / len(adapters),) * len(adapters)
        if len(self.weights) != len(adapters):
            raise InputError("weights", f"{len(self.weights)} for {len(adapters)} adapters", "one weight an adapter")
        return self.weights

    def result_rank(self, adapters: Sequence[Adapter]) -> int | None:
        """The rank of the adapter that will be written, None for a checkpoint.

        Raises InputError for adapters that do not suit, and for a rank vLLM does not serve.
        """
        if self.how == "checkpoint":
            return None
        if self.how == "lora" and len(adapters) > 1:
            raise InputError("adapters", str(len(adapters)), "one, for lora; linear and svd take several")
        ranks = [adapter.rank for adapter in adapters]
        if self.how != "linear":
            rank = self.rank or max(ranks)
        elif dora := [str(adapter.folder) for adapter in adapters if adapter.kind == "dora"]:
            raise InputError(
                dora[0], "a DoRA, whose update has no low rank", "LoRA or rsLoRA; svd or checkpoint take DoRA"
            )
        else:
            rank = sum(ranks)
        require_served(rank)
        return rank

    def restates(self, adapters: Sequence[Adapter]) -> bool:
        """Whether the result is one adapter's own factors under a plain LoRA's scaling."""
        one = adapters[0]
        return self.how == "lora" and one.kind != "dora" and (self.rank is None or self.rank >= one.rank)

    def is_exact(self, adapters: Sequence[Adapter]) -> bool:
        """Whether the result equals its target up to float32 rounding."""
        return self.dtype == "float32" and (self.how in ("checkpoint", "linear") or self.restates(adapters))
