"""`aiac data`: building a curated data set from question sources, and looking at one."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from agents.core.schema import Question
    from training.curation.difficulty import Scorer
    from training.curation.report import BuildReport
    from training.curation.rows import CuratedRow

app = typer.Typer(help="Build a curated data set from question sources, and look at one.", no_args_is_help=True)

Tell = Callable[[str, int, int | None], None]


@app.command()
def build(
    recipe: Annotated[Path, typer.Argument(help="A recipe with a `data:` section.")],
    difficulty: Annotated[
        Literal["heuristic", "model"], typer.Option(help="Score by text alone, or by how the base model answers.")
    ] = "heuristic",
    model: Annotated[str, typer.Option(help="The base that scores: a catalogue name or a checkpoint folder.")] = (
        "SmolLM2-135M-Instruct"
    ),
) -> None:
    """Read, clean, decontaminate, balance, score and split: train.parquet, validation.parquet and a data card.

    Sources are read from the folder AIAC_DATA_DIR where it has them, else from the hub.
    """
    from rich.console import Console

    from aiac.commands.models import find_or_pull_with_progress
    from aiac.commands.shared import staged_progress
    from training.curation.build import build_data
    from training.curation.recipe import DataRecipe
    from training.recipe import read_yaml

    loaded = read_yaml(recipe, DataRecipe, "data")
    checkpoint = find_or_pull_with_progress(model) if difficulty == "model" else None
    started = time.perf_counter()
    with staged_progress() as tell:
        scorer = None if checkpoint is None else _model_scorer(checkpoint, tell)
        report = build_data(loaded, scorer=scorer, advance=tell)
    seconds = time.perf_counter() - started
    read = sum(tally.rows for tally in report.evaluation) + sum(source.read for source in report.sources)
    _print_report(report, Console(markup=False))
    typer.echo(f"{read:,} rows read and compared in {seconds:.1f} s ({read / seconds:,.0f} rows/s)")
    typer.echo(loaded.output)


@app.command()
def inspect(
    folder: Annotated[Path, typer.Argument(help="A folder that `aiac data build` wrote.")],
    rows: Annotated[int, typer.Option(min=0, help="Rows to show.")] = 5,
    level: Annotated[Literal["easy", "medium", "hard"] | None, typer.Option(help="Only rows of this level.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draw of rows.")] = 0,
) -> None:
    """Show the numbers of a data set's card, and a page of rows drawn from train.parquet."""
    from rich.console import Console

    from training.curation.report import TRAIN, read_report
    from training.curation.rows import read_rows

    console = Console(markup=False, highlight=False)
    report = read_report(folder)
    candidates = [row for row in read_rows(folder / TRAIN) if level in (None, row.level)]
    _print_report(report, console)
    for row in random.Random(seed).sample(candidates, min(rows, len(candidates))):  # noqa: S311
        _print_row(row, console)


def _model_scorer(checkpoint: Path, tell: Tell) -> Scorer:
    """Difficulty under the untrained base: the engine is opened when the rows are there, and closed after them."""
    from agents.ensemble.engine_kinds import transformers_openers
    from training.curation.difficulty import model_difficulty

    open_engine, *_ = transformers_openers()

    async def score(questions: Sequence[Question]) -> list[float]:
        engine = await asyncio.to_thread(open_engine, checkpoint, {})
        try:
            return await model_difficulty(questions, engine, lambda done, all_: tell("scoring difficulty", done, all_))
        finally:
            await engine.close()

    return lambda questions: asyncio.run(score(questions))


def _print_report(report: BuildReport, console: Console) -> None:
    from rich.table import Table

    from training.curation.rows import LEVELS

    sources = Table("Source", "Split", "Terms", *("Read", *report.reasons, "Train", "Validation"), title="Sources")
    for source in report.sources:
        counts = [source.read, *(source.dropped.get(r, 0) for r in report.reasons), source.train, source.validation]
        sources.add_row(source.name, source.split, source.terms, *map(_number, counts))
    console.print(sources)
    if report.evaluation:
        evaluation = Table("Evaluation file", "Rows", "Overlaps", "Near copies", title="Rows dropped for")
        for file in report.evaluation:
            evaluation.add_row(file.name, *map(_number, (file.rows, file.overlaps, file.near_copies)))
        console.print(evaluation)
    files = Table("File", "Rows", "Groups", *(level.capitalize() for level in LEVELS), "Keys by number of choices")
    for written in report.files:
        keys = "; ".join(f"{n}: {' '.join(map(str, counts))}" for n, counts in written.keys.items())
        levels = (written.levels[level] for level in LEVELS)
        files.add_row(written.name, *map(_number, (written.rows, written.groups, *levels)), keys)
    files.caption = f"difficulty by {report.difficulty}; seed {report.recipe.seed}"
    console.print(files)


def _number(value: int) -> str:
    return f"{value:,}"


def _print_row(row: CuratedRow, console: Console) -> None:
    from rich.panel import Panel

    from agents.core.schema import LETTERS

    lines = [row.question.text, ""]
    for i, choice in enumerate(row.question.choices):
        lines.append(f"{'→' if i == row.question.key else ' '} {LETTERS[i]}) {choice}")
    subject = f" · {row.subject}" if row.subject else ""
    title = f"{row.id}{subject} · {row.level} ({row.difficulty:.3f}) · group {row.group}"
    console.print(Panel("\n".join(lines), title=title, title_align="left"))
