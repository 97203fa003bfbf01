"""`aiac models`: which models there are, and getting one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from agents.models.store import ModelStore

app = typer.Typer(help="List the models that can be pulled, and pull one.", no_args_is_help=True)

STAGES = {
    "wait": "waiting for another pull",
    "download": "downloading",
    "verify": "verifying",
    "convert": "converting",
}


@app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show every model, its size and licence, and whether it is in the cache."""
    from rich.console import Console
    from rich.table import Column, Table

    from agents.models.store import ModelStore

    store = ModelStore()
    rows = [
        {
            "name": spec.name,
            "hub_repo": spec.hub_repo,
            "parameters": spec.parameters,
            "gguf_bytes": spec.gguf_bytes,
            "licence": spec.licence,
            "cached": store.is_ready(name),
            "path": str(store.folder(name)),
        }
        for name, spec in store.catalogue.items()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table(Column("Name", no_wrap=True), "Size", "GGUF", "Licence", Column("Cached", overflow="fold"))
    for spec, row in zip(store.catalogue.values(), rows, strict=True):
        cached = f"yes: {row['path']}" if row["cached"] else "no"
        table.add_row(
            spec.name, f"{spec.parameters / 1e6:,.0f} M", f"{spec.gguf_bytes / 1e6:,.0f} MB", spec.licence, cached
        )
    Console(markup=False).print(table)


@app.command()
def pull(name: Annotated[str, typer.Argument(help="A name that `aiac models list` shows, or its hub id.")]) -> None:
    """Download, verify and convert a model; print the folder it is in."""
    from agents.models.store import ModelStore

    typer.echo(pull_with_progress(name, ModelStore()))


def find_or_pull_with_progress(model: str) -> Path:
    """The checkpoint folder ``model`` is, or that of the catalogue model it names, pulled with bars if need be.

    Raises as ``checkpoint_folder`` and ``ModelStore.pull`` do.
    """
    from agents.models.store import ModelStore, checkpoint_folder

    return checkpoint_folder(model) or pull_with_progress(model, ModelStore())


def pull_with_progress(name: str, store: ModelStore) -> Path:
    """``store.pull(name)`` with a bar a stage on stderr; draws nothing when the model is ready. Raises as it does."""
    if store.is_ready(name):
        return store.path(name)

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    # The conversion redirects sys.stderr to keep other libraries' bars away; `file` holds on to the real one.
    with Progress(*columns, console=Console(file=sys.stderr)) as bars:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(f"{name}: {STAGES.get(stage, stage)}", total=None)
            # The bytes of a conversion are not known before it is done, nor how long another process will take.
            known = total if done or stage in ("download", "verify") else None
            bars.update(tasks[stage], completed=done, total=known or None)

        return store.pull(name, show)
