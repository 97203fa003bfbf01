"""The inputs of one member's run, before any step: its rows as a plan, its prompts and its probes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.core.errors import InputError
from agents.core.prompts import PromptRenderer
from agents.engines.tokenizer import ChatTokenizer
from training.curation.rows import CuratedRow
from training.plan.curriculum import CurriculumPlan, make_plan, write_plan
from training.recipe import MemberRecipe, TrainRecipe
from training.run.collate import Collator, QuestionCollator, make_collator, split_by_length
from training.run.training_probes import AnswerProbes, TrainingProbes, WritingProbes, draw_probes
from training.support.devices import processes

PLAN_FILE = "plan.parquet"


@dataclass(frozen=True)
class MemberInputs:
    """Everything that is decided before the first step and stays the same when a run is resumed or restarted."""

    seed: int
    rows: Mapping[str, CuratedRow]
    """Those trained on, by row id."""
    too_long: int
    """Rows left out because they need more tokens than the recipe's ``run.max_tokens``."""
    plan: CurriculumPlan
    parts: int
    """Micro-batches a step, over all devices."""
    probes: TrainingProbes
    collator: Collator
    processing_class: Any
    """The tokenizer as the trainer wants it."""
    digest: str
    """Changes with everything that changes the weights: what is trained, how, on which rows, on which base."""


def prepare_inputs(
    recipe: TrainRecipe,
    member: MemberRecipe,
    checkpoint: Path,
    train: Sequence[CuratedRow],
    validation: Sequence[CuratedRow],
    folder: Path,
) -> MemberInputs:
    """The inputs of ``member``; its plan is written to the run's ``folder``, where a person can read it.

    Raises InputError for rows that are all too long, rows and a curriculum that give no plan, and a tokenizer that does
    not end a turn.
    """
    seed = recipe.seed + member.seed
    tokenizer = ChatTokenizer(checkpoint)
    renderer = PromptRenderer(tokenizer)
    processing_class = _processing_class(checkpoint)
    collator = make_collator(renderer, tokenizer, member, end_id=int(processing_class.eos_token_id))
    max_tokens = recipe.run.max_tokens
    rows, too_long = split_by_length(collator, train, max_tokens)
    if not rows:
        raise InputError("run.max_tokens", str(max_tokens), f"room for some row; all {len(train):,} are longer")
    plan = make_plan([(r.id, r.difficulty) for r in rows.values()], recipe.plan_recipe(member), seed=seed)
    parts = micro_batches_a_step(recipe, plan, processes().num_processes)
    held_out = draw_probes(validation, recipe.guards.probe_rows, seed=seed)
    probes: TrainingProbes
    if isinstance(collator, QuestionCollator):
        probes = WritingProbes(held_out, collator)
    else:
        probes = AnswerProbes([row.question for row in held_out], renderer, member.method)
    folder.mkdir(parents=True, exist_ok=True)
    with processes().main_process_first():
        write_plan(plan, folder / PLAN_FILE)
    return MemberInputs(
        seed=seed,
        rows=rows,
        too_long=len(too_long),
        plan=plan,
        parts=parts,
        probes=probes,
        collator=collator,
        processing_class=processing_class,
        digest=_digest(recipe, member, folder / PLAN_FILE, checkpoint),
    )


def micro_batches_a_step(recipe: TrainRecipe, plan: CurriculumPlan, processes: int) -> int:
    """Micro-batches an optimiser step takes over all processes: a multiple of them.

    Raises InputError when the plan has a step with fewer rows than that: every micro-batch needs one.
    """
    rows = max(len(step.row_ids) for step in plan.steps)
    parts = -(-rows // (recipe.run.micro_batch_rows * processes)) * processes
    fewest = min(len(step.row_ids) for step in plan.steps)
    if fewest < parts:
        raise InputError(
            "run.micro_batch_rows",
            f"{parts} micro-batches a step on {processes} device{'s' if processes > 1 else ''}",
            f"at most {fewest}, the rows of the plan's smallest step",
        )
    return parts


def _processing_class(checkpoint: Path) -> Any:
    """Raises InputError for a tokenizer that does not say how a turn ends."""
    from transformers import AutoTokenizer

    found = AutoTokenizer.from_pretrained(checkpoint, trust_remote_code=False, local_files_only=True)
    if found.eos_token_id is None:
        raise InputError(str(checkpoint), "a tokenizer without an end-of-turn token", "one with eos_token")
    return found


def _digest(recipe: TrainRecipe, member: MemberRecipe, plan: Path, checkpoint: Path) -> str:
    from agents.models.checkpoint import verified_base_sha256

    # The plan stands for the data. The usual task is not named, so that runs from before there were two can go on.
    others = {"alpha_fallbacks", "export", "orders", "data", *(["task"] if member.task == "answer" else [])}
    parts = {
        "member": member.model_dump(exclude=others),
        "run": recipe.run.model_dump(exclude={"keep_checkpoints"}),
        "guards": recipe.guards.model_dump(),
        "seed": recipe.seed,
        "plan": hashlib.sha256(plan.read_bytes()).hexdigest(),
        "base": verified_base_sha256(checkpoint),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
