"""`aiac train`: from a recipe to trained members, and from those to a released ensemble."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agents.errors import InputError
from agents.loading import FindModel
from agents.placement import OpenEngine
from training.curation.build import build_data
from training.curation.report import CARD, TRAIN, VALIDATION, read_report
from training.curation.rows import CuratedRow, read_rows
from training.export import Advance, Export, ExportPlan, export_ensemble
from training.member_run import MemberRun, train_member
from training.recipe import CandidateRecipe, TrainRecipe
from training.release_report import write_release_report
from training.run_report import REPORT_FILE


def load_rows(
    recipe: TrainRecipe, advance: Callable[[str, int, int | None], None]
) -> tuple[list[CuratedRow], list[CuratedRow]]:
    """The curated rows to train on and those held out; built first unless this very recipe built them before."""
    folder = Path(recipe.data.output)
    if not (folder / TRAIN).is_file() or read_report(folder).recipe != recipe.data:
        build_data(recipe.data, advance=advance)
    return read_rows(folder / TRAIN), read_rows(folder / VALIDATION)


def train_members(
    recipe: TrainRecipe,
    checkpoint: Path,
    rows: tuple[Sequence[CuratedRow], Sequence[CuratedRow]],
    advance: Callable[[str, int, int], None],
) -> list[MemberRun]:
    """Trains every member of the recipe, one after the other; those that are done already are not trained again."""
    runs = []
    for member in recipe.members:

        def step(done: int, total: int, name: str = member.name) -> None:
            advance(f"training {name}", done, total)

        runs.append(train_member(recipe, member, checkpoint, rows[0], rows[1], step))
    return runs


async def release(
    recipe: TrainRecipe,
    runs: Sequence[MemberRun],
    find_model: FindModel,
    open_engine: OpenEngine,
    advance: Advance,
) -> Export:
    """Exports the ensemble of the trained members that deserve it, with its data card and reports beside it.

    Raises InputError when no member was trained to a good chunk.
    """
    plan = release_plan(recipe, runs)
    done = await export_ensemble(plan, find_model, open_engine, advance)
    _copy_beside(recipe, runs)
    write_release_report(done, runs, Path(recipe.output))
    return done


def release_plan(recipe: TrainRecipe, runs: Sequence[MemberRun]) -> ExportPlan:
    """What is weighed and exported: the untrained members, and those with a good chunk. Raises InputError for none."""
    adapters = {run.member.name: run.adapter for run in runs if run.adapter is not None}
    if not adapters:
        reasons = "; ".join(f"{run.member.name}: {run.decisions[-1].reason}" for run in runs if run.decisions)
        raise InputError(recipe.runs, f"no member with a good chunk ({reasons})", "at least one to release")
    trained = [
        CandidateRecipe(name=run.member.name, method=run.member.method, orders=run.member.orders)
        for run in runs
        if run.adapter is not None
    ]
    return ExportPlan(
        name=recipe.name,
        model=recipe.model,
        output=Path(recipe.output),
        members=[*recipe.release.base, *trained],
        fit=recipe.release.fit,
        probes=recipe.release.probes,
        adapters=adapters,
        merged=frozenset(run.member.name for run in runs if run.adapter and run.member.export == "checkpoint"),
        checkpoint_dtype=recipe.release.checkpoint_dtype,
        reserve_bytes=int(recipe.guards.disk_reserve_gb * 1e9),
        significance=recipe.release.significance,
        provenance={"recipe": recipe.model_dump(mode="json"), "training": {r.member.name: summary(r) for r in runs}},
    )


def summary(run: MemberRun) -> dict[str, Any]:
    """What a manifest keeps of a run."""
    return {
        "alpha": run.alpha,
        "rows": run.rows,
        "rows_too_long": run.too_long,
        "steps": run.steps,
        "tokens": run.tokens,
        "minutes": round(run.seconds / 60, 1),
        "decisions": [decision.reason for decision in run.decisions],
    }


def _copy_beside(recipe: TrainRecipe, runs: Sequence[MemberRun]) -> None:
    output = Path(recipe.output)
    shutil.copyfile(Path(recipe.data.output) / CARD, output / CARD)
    reports = output / "reports"
    reports.mkdir(exist_ok=True)
    for run in runs:
        shutil.copyfile(Path(recipe.runs) / run.member.name / REPORT_FILE, reports / f"{run.member.name}.html")
