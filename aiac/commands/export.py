"""`aiac export`: a recipe in, an ensemble folder out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer


def export(
    recipe: Annotated[Path, typer.Argument(help="A recipe such as recipes/base-smollm2-135m.yaml.")],
    dtype: Annotated[str, typer.Option(help="Precision of the scoring, float32 or bfloat16.")] = "float32",
) -> None:
    """Score a recipe's members on real rows, fit the pool, record golden probes, write ensemble.json.

    Data files are looked for as paths and in the folder AIAC_DATA_DIR.
    """
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
    from rich.table import Table

    from agents.loading import engine_openers
    from aiac.commands.models import find_or_pull
    from training.export import export_ensemble, read_recipe

    loaded = read_recipe(recipe)
    checkpoint = find_or_pull(loaded.model)
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def advance(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done)

        [open_engine] = engine_openers("transformers", dtype=dtype)
        manifest, file, candidates = asyncio.run(export_ensemble(loaded, lambda name: checkpoint, open_engine, advance))
    table = Table("Pool", "Weights", "NLL, nats", "Right", title="Measured on the half not fitted on, best first")
    for candidate in candidates:
        weights = ", ".join(f"{name} {weight:g}" for name, weight in candidate.weights.items() if weight)
        right = f"{candidate.correct} of {candidate.rows} ({candidate.correct / candidate.rows:.1%})"
        table.add_row(candidate.name, weights, f"{candidate.nll_nats:.4f}", right)
    Console().print(table)
    typer.echo(manifest.provenance["choice"])
    typer.echo(file)
