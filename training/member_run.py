"""One member's training from start to end: resumed where it stopped, restarted and rolled back as the guards decide."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.engines.tokenizer import ChatTokenizer
from agents.errors import InputError, MissingExtraError
from agents.prompts import PromptRenderer
from training.adapters.attach import attach_adapter
from training.adapters.storage import save_adapter
from training.collate import make_collator, split_by_length
from training.curation.rows import CuratedRow
from training.curriculum import Plan, make_plan, write_plan
from training.guards import AlphaFallback, CollapseWatch, GradientWatch, ProbeStats
from training.probing import ProbeSet, draw_probes
from training.processes import processes
from training.recipe import MemberRecipe, TrainRecipe
from training.run_log import (
    METRICS_FILE,
    DecisionRecord,
    ProbeRecord,
    Record,
    RunLog,
    StepRecord,
    probe_record,
    read_run_log,
)
from training.run_report import write_run_report
from training.trainer import TRAINED_FILE, Schedule, load_trained, make_trainer
from training.watching import COMPLETE_FILE, Watch, checkpoint_at, make_callback, whole_checkpoints

PLAN_FILE = "plan.parquet"
ADAPTER_FOLDER = "adapter"


@dataclass(frozen=True)
class MemberRun:
    """What a run left. ``adapter`` is None when no chunk ended well: there is nothing better than the base."""

    member: MemberRecipe
    adapter: Path | None
    alpha: float
    rows: int
    steps: int
    tokens: int
    seconds: float
    decisions: list[DecisionRecord]


def train_member(
    recipe: TrainRecipe,
    member: MemberRecipe,
    checkpoint: Path,
    train: Sequence[CuratedRow],
    validation: Sequence[CuratedRow],
    advance: Callable[[int, int], None] = lambda step, steps: None,
) -> MemberRun:
    """Trains ``member`` on the model in ``checkpoint``; ``advance`` is told the steps done and all of them.

    A run that was killed goes on from its last whole checkpoint and ends with the same weights. Raises InputError when
    the folder holds a run of another recipe, DiskSpaceError before a save that would not fit, MissingExtraError.
    """
    folder = Path(recipe.runs) / member.name
    seed = recipe.seed + member.seed
    renderer = PromptRenderer(ChatTokenizer(checkpoint))
    processing_class = _processing_class(checkpoint)
    collator = make_collator(renderer, member, end_id=int(processing_class.eos_token_id))
    questions, _ = split_by_length(collator, [(row.id, row.question) for row in train], recipe.run.max_tokens)
    plan = make_plan([(r.id, r.difficulty) for r in train if r.id in questions], recipe.plan_recipe(member), seed=seed)
    parts = micro_batches_a_step(recipe, plan, processes().num_processes)
    probes = draw_probes([row.question for row in validation], recipe.guards.probe_rows, seed=seed)
    probe = ProbeSet(probes, renderer, member.method)

    folder.mkdir(parents=True, exist_ok=True)
    with processes().main_process_first():
        write_plan(plan, folder / PLAN_FILE)
    digest = _digest(recipe, member, folder / PLAN_FILE, checkpoint)
    log = RunLog(folder / METRICS_FILE)
    is_main = processes().is_main_process
    while True:
        records = read_run_log(log.path) if log.path.exists() else []
        decisions = [record for record in records if isinstance(record, DecisionRecord)]
        restarts = sum(d.action == "restart_lower_alpha" for d in decisions)
        collapses = sum(d.action == "roll_back" for d in decisions)
        fallback = AlphaFallback(member.adapter.alpha, member.alpha_fallbacks, restarts)
        identity = {"digest": digest, "alpha": fallback.alpha}
        with processes().main_process_first():
            at = _usable_checkpoint(folder, identity)
        done = len(plan.steps) == at or (decisions and decisions[-1].action == "stop")
        log_start = _after_restart(records)
        model = _load_model(checkpoint, recipe)
        adapter = member.adapter.model_copy(update={"alpha": fallback.alpha})
        model = attach_adapter(model, adapter, seed=seed)
        if done:
            break
        if is_main and records:
            log.truncate_after(at or 0)
        start: ProbeStats | None = next((r for r in log_start if isinstance(r, ProbeRecord) and r.chunk == -1), None)
        if start is None:
            start = probe(_on_device(model))
            if is_main:
                log.write(probe_record(0, -1, start))
        norms = [r.gradient_norm for r in log_start if isinstance(r, StepRecord) and r.step <= (at or 0)]
        watch = Watch(
            folder=folder,
            log=log,
            plan=plan,
            probe=probe,
            gradients=GradientWatch(recipe.guards, norms),
            collapse=CollapseWatch(recipe.guards, start, collapses),
            guards=recipe.guards,
            keep_checkpoints=recipe.run.keep_checkpoints,
            identity=identity,
            advance=advance,
            is_main=is_main,
        )
        schedule = Schedule(plan, questions, parts, seed, 0.5**collapses)
        trainer = make_trainer(
            model, processing_class, schedule, collator, member, recipe.run, folder, [make_callback(watch)]
        )
        trainer.train(resume_from_checkpoint=str(checkpoint_at(folder, at)) if at else None)
        verdict = fallback.apply(watch.verdict)
        if verdict.action != "go" and is_main:
            log.write(DecisionRecord(trainer.state.global_step, verdict.action, verdict.reason))
        processes().wait_for_everyone()
    with processes().main_process_first():
        saved = _export(model, folder, at, recipe)
        write_run_report(folder)
    steps = [record for record in read_run_log(log.path) if isinstance(record, StepRecord)]
    return MemberRun(
        member=member,
        adapter=saved,
        alpha=fallback.alpha,
        rows=len(questions),
        steps=at or 0,
        tokens=sum(record.tokens for record in steps),
        seconds=sum(record.seconds for record in steps),
        decisions=decisions,
    )


def micro_batches_a_step(recipe: TrainRecipe, plan: Plan, processes: int) -> int:
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


def _usable_checkpoint(folder: Path, identity: dict[str, Any]) -> int | None:
    """The step of the last whole checkpoint of this run, or None. What a killed save left behind is removed.

    Checkpoints of another alpha are removed too. Raises InputError for those of another recipe.
    """
    for stale in folder.glob("checkpoint-*"):
        complete = stale / COMPLETE_FILE
        found = json.loads(complete.read_text()) if complete.is_file() else None
        if found is not None and found["digest"] != identity["digest"]:
            raise InputError(str(folder), "checkpoints of another recipe or data", "the same, or an empty folder")
        if found is None or found["alpha"] != identity["alpha"]:
            shutil.rmtree(stale)
    steps = whole_checkpoints(folder)
    return steps[-1] if steps else None


def _after_restart(records: Sequence[Record]) -> list[Record]:
    """The records since the run last started from the beginning."""
    kept: list[Record] = []
    for record in records:
        kept.append(record)
        if isinstance(record, DecisionRecord) and record.action == "restart_lower_alpha":
            kept = []
    return kept


def _digest(recipe: TrainRecipe, member: MemberRecipe, plan: Path, checkpoint: Path) -> str:
    """Changes with everything that changes the weights: what is trained, how, on which rows, on which base."""
    from agents.models.checkpoint import verified_base_sha256

    parts = {
        "member": member.model_dump(exclude={"alpha_fallbacks", "export", "orders"}),
        "run": recipe.run.model_dump(exclude={"keep_checkpoints"}),
        "guards": recipe.guards.model_dump(),
        "seed": recipe.seed,
        "plan": hashlib.sha256(plan.read_bytes()).hexdigest(),
        "base": verified_base_sha256(checkpoint),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _load_model(checkpoint: Path, recipe: TrainRecipe) -> Any:
    import torch

    from agents.engines.transformers import load_model

    dtype = getattr(torch, recipe.run.dtype or ("bfloat16" if torch.cuda.is_available() else "float32"))
    if recipe.run.accelerator == "unsloth":
        try:
            from unsloth import FastLanguageModel
        except ImportError:
            raise MissingExtraError("run.accelerator is unsloth, which is not installed: pip install unsloth") from None
        model, _ = FastLanguageModel.from_pretrained(
            str(checkpoint), dtype=dtype, load_in_4bit=False, use_exact_model_name=True, trust_remote_code=False
        )
        return model
    return load_model(checkpoint, dtype)


def _on_device(model: Any) -> Any:
    import torch

    return model.to("cuda") if torch.cuda.is_available() else model


def _processing_class(checkpoint: Path) -> Any:
    """The tokenizer as the trainer wants it. Raises InputError where it does not say how a turn ends."""
    from transformers import AutoTokenizer

    found = AutoTokenizer.from_pretrained(checkpoint, trust_remote_code=False, local_files_only=True)
    if found.eos_token_id is None:
        raise InputError(str(checkpoint), "a tokenizer without an end-of-turn token", "one with eos_token")
    return found


def _export(model: Any, folder: Path, at: int | None, recipe: TrainRecipe) -> Path | None:
    """The adapter of the last good chunk, as a plain PEFT folder."""
    from safetensors.torch import load_file

    if at is None:
        return None
    file = checkpoint_at(folder, at) / TRAINED_FILE
    load_trained(model, load_file(file), file)
    return save_adapter(model, folder / ADAPTER_FOLDER, dtype=recipe.release.adapter_dtype)
