"""`aiac train`: from a recipe to trained members and a released ensemble."""

from __future__ import annotations

import asyncio
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from training.run.dry_run import DryRun

app = typer.Typer()


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="A training recipe such as recipes/starter.yaml.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check it, and print what the run will need.")
    ] = False,
    members: Annotated[
        list[str] | None, typer.Option("--member", help="Train this member only; again for each one more. No release.")
    ] = None,
) -> None:
    """Build the data, train every member under guard, and release the ensemble of those that beat the base.

    Members that write questions are released as adapters instead.

    A run that was stopped goes on where it was when the same command is given again.
    """
    from training.recipe import TrainRecipe, read_yaml

    # Libraries that warn each other of their next versions' renames.
    warnings.filterwarnings("ignore", category=FutureWarning)
    loaded = read_yaml(recipe, TrainRecipe)
    if dry_run:
        from training.run.dry_run import dry_run as plan

        show(plan(loaded))
        return

    from agents.core.errors import InputError
    from aiac.commands.export import show_export
    from aiac.commands.models import find_or_pull_with_progress
    from aiac.commands.shared import staged_progress
    from training.support.devices import processes
    from training.train import load_rows, release, release_opener, release_writers, train_members

    if members:
        known = {member.name: member for member in loaded.members}
        if unknown := [name for name in members if name not in known]:
            raise InputError("--member", ", ".join(unknown), f"some of {', '.join(known)}")
        loaded = loaded.model_copy(update={"members": [known[name] for name in members]})
    state = processes()
    with state.main_process_first():
        checkpoint = find_or_pull_with_progress(loaded.model)
    with staged_progress(shown=state.is_main_process) as advance:
        with state.main_process_first():
            rows = load_rows(loaded, advance)
        runs = train_members(loaded, checkpoint, rows, advance)
        if not state.is_main_process:
            return
        if not members and loaded.release is None:
            folder = release_writers(loaded, runs, checkpoint)
        elif not members:
            done = asyncio.run(release(loaded, runs, lambda name: checkpoint, release_opener(), advance))
    for run in runs:
        for decision in run.decisions:
            typer.echo(f"{run.member.name}: {decision.reason}", err=True)
        typer.echo(f"{run.member.name}: {run.steps} steps, {run.tokens:,} tokens, {run.seconds / 60:.1f} minutes")
        if run.too_long:
            typer.echo(f"{run.member.name}: {run.too_long:,} rows left out, over {loaded.run.max_tokens:,} tokens")
    if members:
        return
    if loaded.release is None:
        typer.echo(str(folder))
    else:
        show_export(done)


def show(found: DryRun) -> None:
    """What a dry run found, as a table and notes."""
    from rich.console import Console
    from rich.table import Table

    title = f"{found.model}: {found.parameters / 1e9:.2f} billion parameters, {found.disk_bytes / 1e9:.1f} GB of disk"
    table = Table("Member", "Steps", "Rows", "Tokens", "Trainable", "Memory, GB", "Checkpoint, GB", title=title)
    for column in table.columns:
        column.no_wrap = True
    for needs in found.members:
        table.add_row(
            needs.name,
            f"{needs.steps:,}",
            f"{needs.rows:,}",
            f"{needs.tokens:,}",
            f"{needs.trainable_parameters:,}",
            f"{needs.memory_bytes / 1e9:.1f}",
            f"{needs.checkpoint_bytes / 1e9:.2f}",
        )
    console = Console()
    # A file or a pipe has no width of its own, and a number that is cut off is no number.
    Console(width=None if console.is_terminal else 120).print(table)
    for note in found.notes:
        typer.echo(note)
