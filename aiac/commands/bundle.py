"""`aiac bundle`: the folder that the organisers collect, with all in it that the two command lines need."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from agents.core.edition import DEFAULT_EDITION
from agents.ensemble.loading import DEFAULT_ENSEMBLE

if TYPE_CHECKING:
    from agents.ensemble.base_model import FindModel
    from tournament.bundle.building import CpuDtype
    from tournament.bundle.record import Record

app = typer.Typer()


@app.command()
def bundle(
    out: Annotated[Path, typer.Argument(help="The folder to make; with --check, the one to compare.")],
    edition: Annotated[str, typer.Option(help="The edition whose rules and files it is for.")] = DEFAULT_EDITION,
    ensemble: Annotated[str, typer.Option(help="An ensemble's folder, or its name in ensembles/.")] = DEFAULT_ENSEMBLE,
    engine: Annotated[
        Literal["transformers", "vllm"], typer.Option(help="What computes where it runs.")
    ] = "transformers",
    models: Annotated[
        Literal["inside", "pull"], typer.Option(help="Copy the base model, or leave it to be pulled there.")
    ] = "inside",
    kit: Annotated[
        Path | None,
        typer.Option(help="The organisers' starter kit: qgen.yaml, agen.yaml, assets/, utils/ as they are in it."),
    ] = None,
    rehearse: Annotated[
        bool, typer.Option(help="First open the ensemble here, as the bundle will: all members must be fit to serve.")
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier bundle, its outputs/ too.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Make nothing: say which files differ from bundle.json, with exit code 1.")
    ] = False,
) -> None:
    """Make the folder to hand in: four files, what they import, settings, topics, the ensemble and its model.

    It runs by the organisers' two command lines, with no network, no variable set and this project not installed.
    """
    from rich.console import Console

    from agents.core.edition import load_edition
    from agents.ensemble.loading import find_ensemble
    from agents.models.store import ModelStore, resolve_model
    from aiac.commands.shared import puzzle_source
    from tournament.bundle.building import BundleRequest, build_bundle
    from tournament.bundle.kit import worked_examples

    if check:
        _compare(out)
        return
    rules = load_edition(edition)
    store, path = ModelStore(), find_ensemble(ensemble)
    progress = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)

    def find_base(name: str) -> Path:
        return resolve_model(name, store)

    tried = rehearse and models == "inside"
    request = BundleRequest(
        edition=rules,
        ensemble=path,
        engine=engine,
        find_base=find_base if models == "inside" else None,
        rehearse=partial(rehearsal, path, find_base, engine, progress.print) if tried else None,
        examples=worked_examples(rules, puzzle_source()),
        kit=kit,
    )
    typer.echo(summary(out, build_bundle(out, request, replace=force, report=progress.print)))


def rehearsal(ensemble: Path, find_base: FindModel, engine: str, report: Callable[[str], None]) -> CpuDtype:
    """Opens the ensemble; the precision that served, where it was a CPU that computed. Raises NotReadyError.

    Raises as ``load_ensemble`` does.
    """
    from agents.core.errors import NotReadyError
    from agents.engines.torch.precision import on_cpu
    from agents.ensemble.engine_kinds import placement
    from agents.ensemble.loading import load_ensemble

    async def run() -> str:
        loaded = await load_ensemble(ensemble, find_base, placement(engine), report)
        try:
            unfit = [f"{status.name}: {status.reason}" for status in loaded.statuses if not status.ready]
            if unfit:
                raise NotReadyError(f"not fit to be handed in, nothing was written: {'; '.join(unfit)}")
            return loaded.engine.dtype
        finally:
            await loaded.close()

    dtype = cast("CpuDtype", asyncio.run(run()))
    return dtype if on_cpu() else None


def summary(out: Path, record: Record) -> str:
    """What was made, and what is to be done with it."""
    from agents.models.store import readable_bytes

    lines = [
        f"{out}: {len(record.files)} files, {readable_bytes(record.total_bytes)}; "
        f"{record.ensemble} on {record.engine}, for {record.edition}",
        *([] if record.base.pull is None else [f"the base model is not inside; pull it there: {record.base.pull}"]),
        *record.commands.values(),
    ]
    return "\n".join(lines)


def _compare(folder: Path) -> None:
    from tournament.bundle.checking import differences
    from tournament.bundle.record import read_record

    record = read_record(folder)
    found = list(differences(folder))
    for sentence in found:
        typer.echo(sentence)
    if found:
        raise typer.Exit(1)
    typer.echo(f"{folder}: all {len(record.files)} files are as bundle.json lists them")
