"""Counting tokens where no model is loaded: an estimate of the organisers' count, and the base model's tokenizer."""

from __future__ import annotations

from typing import Any

from agents.core.errors import AiacError
from puzzles.words import token_bound


def estimate_tokens(text: str) -> int:
    """What the Qwen tokenizer, with which the organisers count, makes of an English text: 3% low to a quarter high.

    Measured on puzzles' questions and explanations; words of several parts in other texts may count more.
    """
    return max(1, token_bound(text) - 1)


class EstimatingTokenizer:
    """In a tokenizer's place where there is none: only the number of tokens it gives means something."""

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        """``estimate_tokens(text)`` zeros."""
        return [0] * estimate_tokens(text)


def base_tokenizer() -> Any:
    """One with ``encode(text, add_special_tokens=False)``: the ensemble's base model's when its files are here.

    Otherwise an ``EstimatingTokenizer``; nothing is downloaded, and no weights are read.
    """
    from agents.core.manifest import read_manifest
    from agents.engines.tokenizer import ChatTokenizer
    from agents.ensemble.loading import default_ensemble, model_here
    from agents.support.bundle import prepare_libraries
    from agents.support.gc_pause import collector_paused

    try:
        prepare_libraries()
        with collector_paused():
            return ChatTokenizer(model_here(read_manifest(default_ensemble()).base.model)).hf
    except AiacError:
        return EstimatingTokenizer()
