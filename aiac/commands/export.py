"""`aiac export`: a recipe in, an ensemble folder out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from training.release.export import Export

app = typer.Typer()


@app.command()
def export(
    recipe: Annotated[Path, typer.Argument(help="A recipe such as recipes/base-smollm2-135m.yaml.")],
    dtype: Annotated[str, typer.Option(help="Precision of the scoring, float32 or bfloat16.")] = "float32",
) -> None:
    """Score a recipe's members on real rows, fit the pool, record golden probes, write ensemble.json.

    Data files are looked for as paths and in the folder AIAC_DATA_DIR.
    """
    from agents.ensemble.engine_kinds import transformers_openers
    from aiac.commands.models import find_or_pull_with_progress
    from aiac.commands.shared import staged_progress
    from training.recipe import ExportRecipe, read_yaml
    from training.release.export import ExportPlan, export_ensemble

    loaded = read_yaml(recipe, ExportRecipe)
    checkpoint = find_or_pull_with_progress(loaded.model)
    with staged_progress() as advance:
        [open_engine] = transformers_openers(dtype=dtype)
        done = asyncio.run(export_ensemble(ExportPlan.of(loaded), lambda name: checkpoint, open_engine, advance))
    show_export(done)


def show_export(done: Export) -> None:
    """The pools that were considered, the one taken and why, members rejected, and the file."""
    from rich.console import Console
    from rich.table import Table

    table = Table("Pool", "Weights", "NLL, nats", "Right", title="Measured on the half not fitted on, likeliest first")
    for pool in done.fit.pools:
        weights = ", ".join(f"{name} {weight:g}" for name, weight in pool.weights.items() if weight)
        right = f"{pool.correct} of {pool.rows} ({pool.correct / pool.rows:.1%})"
        table.add_row(pool.name, weights, f"{pool.nll_nats:.4f}", right)
    Console().print(table)
    for member in done.members:
        if member.rejected:
            typer.echo(f"left out {member.name}: {member.rejected}")
    typer.echo(done.fit.chosen.reason)
    typer.echo(done.file)
