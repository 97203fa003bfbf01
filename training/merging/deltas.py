"""The merged delta of every module that any of the adapters touches, dense, one module at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agents.engines.adapter_factors import Factors
from training.merging.factors import Adapter
from training.merging.methods import dare_ties, ties, truncate, weighted_sum
from training.merging.options import MergeOptions
from training.support.progress import StageProgress, no_progress


class MergedDeltas:
    """Deltas of ``adapters`` on the unchanged float32 ``base``, combined as ``options`` say."""

    def __init__(
        self, base: Any, adapters: Sequence[Adapter], options: MergeOptions, advance: StageProgress = no_progress
    ) -> None:
        self._adapters, self._options, self._advance = adapters, options, advance
        self._weights = options.weights_of(adapters)
        modules = sorted(set().union(*(adapter.factors for adapter in adapters)))
        self._base_weights = {name: base.get_submodule(name).weight.detach().clone() for name in modules}

    def merged(self, module: str) -> Any:
        """The delta [out, in] of one module."""
        import torch

        weight, options = self._base_weights[module], self._options
        parts = [adapter.factors.get(module) for adapter in self._adapters]
        deltas = [torch.zeros_like(weight) if part is None else part.delta(weight) for part in parts]
        if options.how == "ties":
            return ties(deltas, self._weights, options.density)
        if options.how == "dare_ties":
            # One stream a module: two modules of one shape must not drop the same entries.
            stream = options.seed + 1_000_003 * list(self._base_weights).index(module)
            generator = torch.Generator().manual_seed(stream)
            return dare_ties(deltas, self._weights, options.density, generator)
        return weighted_sum(deltas, self._weights)

    def add_to(self, model: Any) -> None:
        """Adds every delta to ``model``, a copy of the base or the base itself."""
        for done, (module, weight) in enumerate(self._base_weights.items(), start=1):
            model.get_submodule(module).weight.data = weight + self.merged(module)
            self._advance("merging weights", done, len(self._base_weights))

    def truncated(self, rank: int) -> dict[str, Factors]:
        """The best factors of ``rank`` of every delta."""
        factors = {}
        for done, module in enumerate(self._base_weights, start=1):
            factors[module] = Factors(*truncate(self.merged(module), rank), 1.0)
            self._advance("decomposing deltas", done, len(self._base_weights))
        return factors
