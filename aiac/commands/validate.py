"""`aiac validate`: how good an ensemble is on rows whose key is known."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.core.edition import DEFAULT_EDITION
from agents.ensemble.loading import DEFAULT_ENSEMBLE

PARTS_SHOWN = 60
"""Some sources have a topic a row; the report in JSON has all of them."""

if TYPE_CHECKING:
    from rich.table import Table

    from agents.ensemble.loading import LoadedEnsemble
    from training.release.validate import AnsweredRow

app = typer.Typer()


@app.command()
def validate(
    data: Annotated[
        list[str], typer.Argument(help="Question files with keys, by path or name in AIAC_DATA_DIR; or puzzles:test.")
    ],
    ensemble: Annotated[str, typer.Option(help="An ensemble's folder, or its name in ensembles/.")] = DEFAULT_ENSEMBLE,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Rows drawn from each file, or made; all of a file when not given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of that draw.")] = 0,
    edition: Annotated[
        str, typer.Option(help="The edition whose seconds an answer bound each answer.")
    ] = DEFAULT_EDITION,
    concurrency: Annotated[int, typer.Option(min=1, help="Questions at a time; latencies are honest at 1.")] = 1,
    dtype: Annotated[str | None, typer.Option(help="float32 or bfloat16; by default what suits the device.")] = None,
    against: Annotated[str | None, typer.Option(help="Another ensemble to compare with, on the same rows.")] = None,
    all_members: Annotated[
        bool, typer.Option("--all-members", help="Also measure members of weight 0, which do not answer.")
    ] = False,
    output: Annotated[Path | None, typer.Option("--json", help="Also write the whole report to this file.")] = None,
) -> None:
    """Accuracy by source, topic and level with 95% Wilson intervals, by member; letters, calibration, latency."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from agents.core.deadline import DeadlinePolicy
    from agents.core.edition import load_edition
    from agents.support.atomic_file import require_writable
    from aiac.commands.shared import open_ensemble
    from training.curation.keyed_rows import is_made, named_data
    from training.release.validate import POOL, answer_rows, compare, summarise
    from training.sources.files import find_data
    from training.support.json_file import write_json

    seconds = DeadlinePolicy(load_edition(edition).answer_seconds).seconds
    if output is not None:
        require_writable(output, inputs=[find_data(name) for name in data if not is_made(name)])
    files = [named_data(name, limit=limit, seed=seed) for name in data]
    rows = [row for file in files for row in file.rows]

    async def answer(name: str, *, everybody: bool) -> tuple[LoadedEnsemble, list[AnsweredRow]]:
        loaded = await open_ensemble(name, dtype=dtype, all_members=everybody)
        columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeRemainingColumn())
        try:
            with Progress(*columns, console=Console(stderr=True)) as bars:
                task = bars.add_task(loaded.manifest.name, total=len(rows))
                return loaded, await answer_rows(
                    loaded.answerer,
                    rows,
                    seconds=seconds,
                    measured=loaded.measured,
                    concurrency=concurrency,
                    advance=lambda: bars.advance(task),
                )
        finally:
            await loaded.close()

    loaded, answered = asyncio.run(answer(ensemble, everybody=all_members))
    report: dict[str, Any] = {
        "ensemble": loaded.manifest.name,
        "base": loaded.manifest.base.model,
        "pooling": loaded.manifest.pooling,
        "dtype": loaded.engine.dtype,
        "limit": limit,
        "seed": seed,
        "deadline_seconds": seconds,
        "concurrency": concurrency,
        "files": {
            file.name: {"sha256": file.sha256, "rows": len(file.rows), "skipped": dict(file.skipped)} for file in files
        },
        **summarise(answered),
    }
    if against is not None:
        other, theirs = asyncio.run(answer(against, everybody=False))
        report["against"] = {
            "ensemble": other.manifest.name,
            "pool": summarise(theirs)["voters"][POOL],
            "voters": compare(answered, theirs),
        }
    if output is not None:
        write_json(output, report)
    Console().print(report_table(report))
    for part in ("level", "topic"):
        if table := breakdown_table(report, part):
            Console().print(table)
    if report["note"]:
        typer.echo(report["note"])
    if "against" in report:
        Console().print(comparison_table(report))


def report_table(report: dict[str, Any]) -> Table:
    """The report as a person reads it: a row a voter, a column a source."""
    from rich.table import Table

    sources = list(report["voters"]["pool"]["by_source"])
    latency = report["seconds_per_question"]
    caption = (
        f"{report['rows']} rows, {report['degraded']} cut short by the {report['deadline_seconds']} s deadline; "
        f"seconds a question: p50 {latency['p50']:.3f}, p95 {latency['p95']:.3f}, p99 {latency['p99']:.3f}"
    )
    title = f"{report['ensemble']} ({report['base']}, {report['dtype']}): accuracy % [95% interval]"
    table = Table("Voter", *sources, "all", "letters %", "RStd", "ECE", "Brier", title=title, caption=caption)
    for name, voter in report["voters"].items():
        if not voter["rows"]:
            table.add_row(name, *["-"] * (len(sources) + 5))
            continue
        letters = " ".join(f"{letter}{share * 100:.0f}" for letter, share in voter["letters"].items())
        spread = voter["recall_spread"]
        table.add_row(
            name,
            *(_interval(voter["by_source"][source]) if source in voter["by_source"] else "-" for source in sources),
            _interval(voter),
            letters,
            "-" if spread is None else f"{spread:.3f}",
            f"{voter['ece']:.3f}",
            f"{voter['brier']:.3f}",
        )
    return table


def breakdown_table(report: dict[str, Any], part: str) -> Table | None:
    """The pool by ``topic`` or ``level``, those of the most rows first, beside the other ensemble's where there is one.

    None for rows of fewer than two.
    """
    from rich.markup import escape
    from rich.table import Table

    cells = report["voters"]["pool"][f"by_{part}"]
    if len(cells) < 2:
        return None
    largest = sorted(cells.items(), key=lambda cell: (-cell[1]["rows"], cell[0]))
    rest = largest[PARTS_SHOWN:]
    rows = sum(cell["rows"] for _, cell in rest)
    caption = f"{len(rest):,} more {part}s with {rows:,} rows are in the report that --json writes" if rest else None
    title = f"Accuracy by {part}, % [95% interval]"
    other = report.get("against")
    columns = [part.capitalize(), "rows", report["ensemble"], *([other["ensemble"]] if other else [])]
    table = Table(*columns, title=title, caption=caption)
    for name, cell in largest[:PARTS_SHOWN]:
        beside = [_interval(other["pool"][f"by_{part}"][name])] if other else []
        table.add_row(escape(name), f"{cell['rows']:,}", _interval(cell), *beside)
    return table


def comparison_table(report: dict[str, Any]) -> Table:
    """Each voter beside the other ensemble's pool, on the same rows."""
    from rich.table import Table

    other = report["against"]
    title = f"Beside {other['ensemble']}: {_interval(other['pool'])} of the same {report['rows']} rows"
    table = Table("Voter", "gain, points [95% interval]", "McNemar p", title=title)
    for name, found in other["voters"].items():
        low, high = found["gain_low"] * 100, found["gain_high"] * 100
        table.add_row(name, f"{found['gain'] * 100:+.1f} [{low:+.1f}, {high:+.1f}]", f"{found['p_equal']:.2g}")
    return table


def _interval(cell: dict[str, Any]) -> str:
    return f"{cell['accuracy'] * 100:.1f} [{cell['low'] * 100:.1f}, {cell['high'] * 100:.1f}]"
