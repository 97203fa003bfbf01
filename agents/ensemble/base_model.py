"""Finding the base model of an ensemble: its checkpoint folder on this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agents.core.errors import FileError
from agents.models.checkpoint import checkpoint_folder
from agents.support.bundle import Bundle

FindModel = Callable[[str], Path]
"""A model's name or folder -> its checkpoint folder; it may pull the model first."""


def find_or_pull(name_or_path: str) -> Path:
    """Return a checkpoint folder as it is, or pull a catalogue model that is not there yet, without a report."""
    # Imported here and below: the store's HTTP client takes 0.15 s, which every start would pay.
    from agents.models.store import ModelStore

    return checkpoint_folder(name_or_path) or ModelStore().pull(name_or_path)


def find_here(name_or_path: str, bundle: Bundle | None = None) -> Path:
    """Return the checkpoint folder of a model on this machine, in a bundle first of all inside it; pull nothing.

    Raises FileError with the command that pulls it, and what ``resolve_model`` raises.
    """
    from agents.models.store import ModelStore, resolve_model

    store = ModelStore(None if bundle is None else bundle.cache)
    if bundle is None or name_or_path != bundle.model:
        return resolve_model(name_or_path, store)
    if bundle.model_path is not None:
        return bundle.folder / bundle.model_path
    if not store.is_ready(name_or_path):
        expected = f"{bundle.model}: run `{bundle.pull}` in {bundle.folder}"
        raise FileError(str(store.folder(name_or_path)), "no complete checkpoint", expected)
    return store.path(name_or_path)
