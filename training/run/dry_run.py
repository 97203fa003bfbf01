"""`aiac train --dry-run`: everything that can be checked without a GPU, and what the run will need."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.core.errors import FileError, InputError
from agents.models.checkpoint import checkpoint_folder
from agents.models.store import readable_bytes
from training.adapters.attach import trainable_parameters
from training.curation.keyed_rows import is_made
from training.curation.recipe import DataRecipe
from training.curation.report import TRAIN, read_report
from training.curation.rows import CuratedRow, read_rows
from training.plan.curriculum import make_plan
from training.recipe import MemberRecipe, TrainRecipe
from training.run.member_inputs import micro_batches_a_step
from training.run.question_writing import written_question
from training.sources import SOURCES, read_source
from training.sources.files import find_data, source_of_file
from training.sources.licences import licence_of, require_trainable
from training.support.disk import predict_save_bytes

ARCHITECTURES = Path(__file__).with_name("architectures.toml")
ASSUMED_ROW_TOKENS = 110
"""Tokens a row takes in training where there is no data to count: the template, a question and its choices."""
ASSUMED_WRITTEN_TOKENS = 310
"""The same for a member that writes questions: the request, and the question with its explanation in JSON."""
ADAM_BYTES = 16
"""Bytes a trainable parameter takes: float32 weight, gradient and two moments."""

MERGE_COPIES = 4
"""Copies of the base in float32 that ``training.merging.merge.merge`` holds."""


@dataclass(frozen=True)
class MemberNeeds:
    """The needs of one member's run. Memory is of one device that holds the whole model."""

    name: str
    steps: int
    rows: int
    tokens: int
    trainable_parameters: int
    memory_bytes: int
    checkpoint_bytes: int


@dataclass(frozen=True)
class DryRun:
    """The findings. ``notes`` are sentences: assumptions, and what a person should know before starting."""

    model: str
    parameters: int
    disk_bytes: int
    members: list[MemberNeeds]
    notes: list[str]


def dry_run(recipe: TrainRecipe, *, processes: int = 1) -> DryRun:
    """Checks a recipe against its model's shape, its sources and its data, and adds up what it needs.

    Raises InputError for whatever would stop the run: sources or files that are not known, target modules that do not
    exist, steps with fewer rows than micro-batches, a warm-up as long as the run.
    """
    config, is_here = _model_config(recipe.model)
    notes = [] if is_here else [_missing_model(recipe.model)]
    notes += _data_notes(recipe)
    base = _base_parameters(config)
    members = []
    for member in recipe.members:
        rows, row_tokens, counted = _rows(recipe.data_of(member), member)
        if counted not in notes:
            notes.append(counted)
        members.append(_needs(recipe, member, config, base, rows, row_tokens, processes))
    kept = recipe.run.keep_checkpoints + 1
    disk = (0 if is_here else base * 2) + sum(needs.checkpoint_bytes * kept for needs in members)
    if recipe.run.accelerator == "unsloth":
        notes.append("run.accelerator is unsloth: it must be installed on the training machine.")
    if recipe.release is not None:
        merged = base * (4 if recipe.release.checkpoint_dtype == "float32" else 2)
        exported = [member.name for member in recipe.members if member.export == "checkpoint"]
        disk += merged * len(exported)
        notes += [f"{name} is exported merged: {merged / 1e9:.0f} GB more on disk." for name in exported]
        notes += _release_notes(recipe, base)
    return DryRun(recipe.model, base, disk, members, notes)


def _data_notes(recipe: TrainRecipe) -> list[str]:
    """Look up every source and file of the recipe. Raises as ``_source_notes`` does."""
    notes: list[str] = []
    for data in {data.output: data for data in map(recipe.data_of, recipe.members)}.values():
        notes += _source_notes(data)
    for name in [] if recipe.release is None else recipe.release.fit.data:
        if not is_made(name):
            _note_missing(name, "the fit", notes)
    return notes


def _missing_model(name: str) -> str:
    return (
        f"{name} is not on this machine and `aiac models pull` does not have it, so that the run will stop at once: no "
        f"checkpoint folder at {Path(name).expanduser().resolve()}. Put it there, or name its folder in `model:`."
    )


def _release_notes(recipe: TrainRecipe, base: int) -> list[str]:
    """The memory that a release takes after the training."""
    copies = base * (1 + len(recipe.members))
    merges = any(member.export == "checkpoint" for member in recipe.members)
    host = readable_bytes(base * 4 * (MERGE_COPIES if merges else 1))
    why = (
        "a merge holds four copies of the base in float32"
        if merges
        else "golden probes are recorded by a plain float32 pass on the CPU"
    )
    return [
        "The release weighs the base and a merged copy of it for each member, all open at once: "
        f"{readable_bytes(copies * 2)} of one GPU's memory in bfloat16, or {readable_bytes(copies * 4)} of main memory "
        "in float32 without a GPU.",
        f"The release needs {host} of main memory beside that: {why}.",
    ]


def _needs(
    recipe: TrainRecipe, member: MemberRecipe, config: Any, base: int, rows: int, row_tokens: float, processes: int
) -> MemberNeeds:
    curriculum = recipe.plan_recipe(member)
    plan = make_plan([(str(i), i / rows) for i in range(rows)], curriculum, seed=recipe.seed)
    parts = micro_batches_a_step(recipe, plan, processes)
    trained = trainable_parameters(config, member.adapter)
    planned = sum(len(step.row_ids) for step in plan.steps)
    micro_tokens = row_tokens * -(-curriculum.batch_rows // parts)
    return MemberNeeds(
        name=member.name,
        steps=len(plan.steps),
        rows=planned,
        tokens=round(planned * row_tokens),
        trainable_parameters=trained,
        memory_bytes=round(
            base * _weight_bytes(recipe) + trained * ADAM_BYTES + _activations(recipe, config, micro_tokens)
        ),
        checkpoint_bytes=predict_save_bytes(trained, 4),
    )


def _weight_bytes(recipe: TrainRecipe) -> int:
    return 4 if recipe.run.dtype == "float32" else 2


def _activations(recipe: TrainRecipe, config: Any, tokens: float) -> float:
    """Bytes of a micro-batch's activations, by the shapes alone: an estimate, within a factor of two.

    About 34 hidden vectors a layer and token (Korthikanti et al. 2022, arXiv:2205.05198, without their attention
    matrices, which fused attention does not keep); with checkpointing one a layer, and a whole layer once.
    """
    hidden = tokens * config.hidden_size * _weight_bytes(recipe)
    layers = config.num_hidden_layers
    whole = 34 / 2 * hidden
    logits = tokens * config.vocab_size * 4 * 2
    return float((layers * hidden + whole if recipe.run.gradient_checkpointing else layers * whole) + logits)


def _base_parameters(config: Any) -> int:
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    return sum(parameter.numel() for parameter in model.parameters())


def _model_config(name: str) -> tuple[Any, bool]:
    """The model's config, and whether its weights are on this machine."""
    from transformers import AutoConfig

    from agents.models.catalogue import load_catalogue
    from agents.models.store import ModelStore

    store = ModelStore()
    local = checkpoint_folder(name) or (store.path(name) if name in load_catalogue() and store.is_ready(name) else None)
    if local is not None:
        return AutoConfig.from_pretrained(local, local_files_only=True, trust_remote_code=False), True
    known = tomllib.loads(ARCHITECTURES.read_text(encoding="utf-8"))
    if name not in known:
        raise InputError("model", repr(name), f"a pulled model, a checkpoint folder, or one of {', '.join(known)}")
    return AutoConfig.for_model(**known[name]["config"]), False


def _source_notes(data: DataRecipe) -> list[str]:
    """Looks every source and file up. Raises InputError or FileError for those not there or not to be trained on."""
    notes = []
    for source in data.sources:
        if not data.allow_evaluation_only:
            require_trainable(source.name)
        if source.name not in SOURCES:
            # Opened, which looks it up, and not read.
            read_source(source.name, source.split, limit=source.rows)
        terms = licence_of(source_of_file(source.name)).terms
        if terms != "open":
            notes.append(f"{source.name}: its terms are {terms}.")
    for name in data.evaluation:
        head = name.partition(":")[0]
        if head not in SOURCES:
            _note_missing(head, "decontamination", notes)
    return notes


def _note_missing(name: str, purpose: str, notes: list[str]) -> None:
    try:
        find_data(name)
    except FileError:
        notes.append(f"{name} is not on this machine; {purpose} will need it.")


def _rows(data: DataRecipe, member: MemberRecipe) -> tuple[int, float, str]:
    """Rows to train on, tokens a row, and the sentence that says how they are known."""
    folder = Path(data.output)
    if (folder / TRAIN).is_file() and read_report(folder).recipe == data:
        characters = [_characters(row, member) for row in read_rows(folder / TRAIN)]
        tokens = 30 + sum(characters) / len(characters) / 4
        return len(characters), tokens, f"{len(characters):,} rows of {folder}, at 4 characters a token."
    assumed_tokens = ASSUMED_WRITTEN_TOKENS if member.task == "question" else ASSUMED_ROW_TOKENS
    limits: Sequence[int | None] = [source.rows for source in data.sources]
    total = data.rows or (sum(n for n in limits if n) if all(limits) else None)
    if total is None:
        raise InputError("data.rows", "no number, and sources without one", "rows, or data built with aiac data build")
    rows = round(total * (1 - data.validation_share))
    assumed = f"{rows:,} rows after holding out {data.validation_share:.0%}, {assumed_tokens} tokens each: assumed"
    return rows, assumed_tokens, f"{assumed}, since {folder} is not built."


def _characters(row: CuratedRow, member: MemberRecipe) -> int:
    if member.task == "question":
        return sum(map(len, written_question(row)))
    return len(row.question.text) + sum(map(len, row.question.choices))
