"""Opening an ensemble for a command: model pulled with a bar, stages on a spinner, all on stderr."""

from __future__ import annotations

from agents.ensemble.loading import LoadedEnsemble, find_ensemble, load_ensemble, placement


async def open_ensemble(
    name: str, *, engine: str = "transformers", dtype: str | None = None, all_members: bool = False
) -> LoadedEnsemble:
    """The ensemble called ``name``, ready to answer. Raises as ``find_ensemble`` and ``load_ensemble`` do."""
    from rich.console import Console

    from aiac.commands.models import find_or_pull

    path = find_ensemble(name)
    console = Console(stderr=True)
    # Not a live spinner: the pull draws its own bars, and rich shows one live display at a time.
    return await load_ensemble(
        path,
        find_or_pull,
        placement(engine, dtype=dtype),
        lambda stage: console.print(f"[dim]{stage}[/dim]"),
        all_members=all_members,
    )
