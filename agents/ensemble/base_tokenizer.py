"""The base model's tokenizer, to count tokens where no model is loaded."""

from __future__ import annotations

from typing import Any

from agents.core.errors import AiacError
from agents.core.token_estimate import EstimatingTokenizer
from agents.ensemble.base_model import find_here
from agents.ensemble.entry import EntrySettings
from agents.ensemble.loading import find_ensemble
from agents.ensemble.manifest_file import read_manifest
from agents.support.gc_pause import gc_paused


def base_tokenizer(settings: EntrySettings) -> Any:
    """Return one with ``encode(text, add_special_tokens=False)``: the base model's when its files are here.

    Otherwise an ``EstimatingTokenizer``; nothing is downloaded, and no weights are read.
    """
    from agents.engines.tokenizer import ChatTokenizer

    try:
        settings.prepare_libraries()
        model = read_manifest(find_ensemble(settings.ensemble)).base.model
        with gc_paused():
            return ChatTokenizer(find_here(model, settings.bundle)).hf
    except AiacError:
        return EstimatingTokenizer()
