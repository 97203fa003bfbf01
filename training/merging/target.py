"""What a merge claims to equal, in words and as a model to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.merging.deltas import MergedDeltas
from training.merging.factors import Adapter
from training.merging.options import MergeOptions
from training.support.plain_model import plain_model


def target_model(
    base: Path, adapters: Sequence[Adapter], options: MergeOptions, deltas: MergedDeltas
) -> tuple[str, Any]:
    """The target's description and its float32 model.

    PEFT computes it, unmerged for one adapter and merged one by one for a sum, so that a mistake in our own algebra
    shows; the merges by sign have no definition but ours.
    """
    weights = options.weights_of(adapters)
    if options.by_sign:
        model = plain_model(base)
        deltas.add_to(model)
        return f"the base plus the {options.how} merge of the adapters' true deltas", model
    if weights == (1.0,):
        return "the adapter as PEFT runs it, unmerged", plain_model(base, adapters[0].folder)
    model = plain_model(base)
    original = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for adapter, weight in zip(adapters, weights, strict=True):
        merged = plain_model(base, adapter.folder).merge_and_unload()
        for module in adapter.factors:
            difference = merged.get_submodule(module).weight.data - original[f"{module}.weight"]
            model.get_submodule(module).weight.data += weight * difference
    return "the base plus the weighted sum of the deltas that PEFT merges, one adapter at a time", model
