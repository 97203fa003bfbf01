"""`aiac train`: from a recipe to trained members, and from those to a released ensemble."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agents.core.errors import InputError
from agents.engines.adapter_config import ADAPTER_WEIGHTS
from agents.ensemble.base_model import FindModel
from agents.ensemble.engine_kinds import transformers_openers
from agents.ensemble.placement import OpenEngine
from agents.models.checkpoint import verified_base_sha256
from agents.models.download import sha256_of
from agents.support.atomic_folder import staged_folder
from training.adapters.storage import copy_adapter
from training.curation.build import build_data
from training.curation.report import CARD, PICTURE, TRAIN, VALIDATION, read_report
from training.curation.rows import CuratedRow, read_rows
from training.recipe import CandidateRecipe, TrainRecipe
from training.release.export import Export, ExportPlan, export_ensemble
from training.release.report import write_release_report
from training.run.member_run import MemberRun, train_member
from training.run.report import REPORT_FILE
from training.support.devices import device_dtype
from training.support.json_file import write_json
from training.support.progress import StageProgress

WRITERS_FILE = "training.json"


Rows = tuple[Sequence[CuratedRow], Sequence[CuratedRow]]
"""Those to train on, and those held out."""


def load_rows(recipe: TrainRecipe, advance: StageProgress) -> dict[str, Rows]:
    """The curated rows of every member, by its name; built first unless this very recipe built them before."""
    loaded: dict[str, Rows] = {}
    for data in map(recipe.data_of, recipe.members):
        folder = Path(data.output)
        if data.output in loaded:
            continue
        if not (folder / TRAIN).is_file() or read_report(folder).recipe != data:
            build_data(data, advance=advance)
        loaded[data.output] = read_rows(folder / TRAIN), read_rows(folder / VALIDATION)
    return {member.name: loaded[recipe.data_of(member).output] for member in recipe.members}


def train_members(
    recipe: TrainRecipe,
    checkpoint: Path,
    rows: Mapping[str, Rows],
    advance: StageProgress,
) -> list[MemberRun]:
    """Trains every member of the recipe, one after the other; those that are done already are not trained again."""
    runs = []
    for member in recipe.members:

        def step(done: int, total: int, name: str = member.name) -> None:
            advance(f"training {name}", done, total)

        runs.append(train_member(recipe, member, checkpoint, *rows[member.name], step))
    return runs


async def release(
    recipe: TrainRecipe,
    runs: Sequence[MemberRun],
    find_model: FindModel,
    open_engine: OpenEngine,
    advance: StageProgress,
) -> Export:
    """Exports the ensemble of the trained members that deserve it, with its data card and reports beside it.

    Raises InputError when no member was trained to a good chunk, ValueError for members that write questions.
    """
    plan = release_plan(recipe, runs)
    done = await export_ensemble(plan, find_model, open_engine, advance)
    _copy_beside(recipe, runs, Path(recipe.output))
    write_release_report(done, runs, Path(recipe.output))
    return done


def release_opener(*, gpu: bool | None = None) -> OpenEngine:
    """What opens the base and its adapters to weigh them: a GPU in bfloat16, a CPU in float32.

    ``gpu`` None: what PyTorch finds here.
    """
    [open_engine] = transformers_openers(dtype=device_dtype(gpu=gpu))
    return open_engine


def release_plan(recipe: TrainRecipe, runs: Sequence[MemberRun]) -> ExportPlan:
    """What is weighed and exported: the untrained members, and those with a good chunk.

    Raises InputError where none has, and ValueError for members that write questions: nothing weighs those.
    """
    if recipe.release is None:
        raise ValueError("members that write questions are not weighed")
    adapters = trained_adapters(recipe, runs)
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


def trained_adapters(recipe: TrainRecipe, runs: Sequence[MemberRun]) -> dict[str, Path]:
    """The adapters of the members with a good chunk, by name. Raises InputError where none has one."""
    adapters = {run.member.name: run.adapter for run in runs if run.adapter is not None}
    if not adapters:
        reasons = "; ".join(f"{run.member.name}: {run.decisions[-1].reason}" for run in runs if run.decisions)
        raise InputError(recipe.runs, f"no member with a good chunk ({reasons})", "at least one to release")
    return adapters


def release_writers(recipe: TrainRecipe, runs: Sequence[MemberRun], checkpoint: Path) -> Path:
    """Puts the adapters of members that write questions into the recipe's output, a folder each, and returns it.

    Beside them lie the data card, the reports and ``training.json``: the recipe, the base and its hash, and the hash of
    each adapter. The folder appears whole or not at all. Raises InputError where no member has a good chunk, FileError.
    """
    adapters = trained_adapters(recipe, runs)
    output = Path(recipe.output)
    with staged_folder(output) as folder:
        hashes = {name: sha256_of(copy_adapter(a, folder / name) / ADAPTER_WEIGHTS) for name, a in adapters.items()}
        record = {
            "recipe": recipe.model_dump(mode="json"),
            "base": {"model": recipe.model, "sha256": verified_base_sha256(checkpoint)},
            "adapters": hashes,
            "training": {run.member.name: summary(run) for run in runs},
        }
        write_json(folder / WRITERS_FILE, record)
        _copy_beside(recipe, runs, folder)
    return output


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


def _copy_beside(recipe: TrainRecipe, runs: Sequence[MemberRun], output: Path) -> None:
    """The data card, that of a member with data of its own in a folder of its own, and every member's report."""
    reports = output / "reports"
    reports.mkdir(exist_ok=True)
    for run in runs:
        beside = output if run.member.data is None else reports / f"{run.member.name}-data"
        beside.mkdir(exist_ok=True)
        for name in (CARD, PICTURE):
            shutil.copyfile(Path(recipe.data_of(run.member).output) / name, beside / name)
        shutil.copyfile(Path(recipe.runs) / run.member.name / REPORT_FILE, reports / f"{run.member.name}.html")
