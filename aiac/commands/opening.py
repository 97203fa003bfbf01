"""Opening an ensemble for a command: model pulled with a bar, stages on a spinner, all on stderr."""

from __future__ import annotations

from pathlib import Path

from agents.loading import LoadedEnsemble, engine_opener, find_ensemble, load_ensemble


async def open_ensemble(name: str, *, engine: str = "transformers", dtype: str | None = None) -> LoadedEnsemble:
    """The ensemble called ``name``, ready to answer. Raises as ``find_ensemble`` and ``load_ensemble`` do."""
    from rich.console import Console

    from agents.models.store import ModelStore, checkpoint_folder
    from aiac.commands.models import pull_with_progress

    def find_model(model: str) -> Path:
        return checkpoint_folder(model) or pull_with_progress(model, ModelStore())

    path = find_ensemble(name)
    console = Console(stderr=True)
    # Not a live spinner: the pull draws its own bars, and rich shows one live display at a time.
    return await load_ensemble(
        path, find_model, engine_opener(engine, dtype=dtype), lambda stage: console.print(f"[dim]{stage}[/dim]")
    )
