"""One member's training from start to end: resumed where it stopped, restarted and rolled back as the guards decide."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.core.errors import MissingExtraError
from training.adapters.attach import attach_adapter
from training.adapters.storage import save_adapter
from training.curation.rows import CuratedRow
from training.guards import CollapseWatch, GradientWatch, ProbeStats
from training.recipe import MemberRecipe, TrainRecipe
from training.run.callback import RunMonitor, Watches, make_callback
from training.run.checkpoints import load_trained
from training.run.log import METRICS_FILE, DecisionRecord, RowsRecord, RunLog, StepRecord, probe_record, read_run_log
from training.run.member_inputs import MemberInputs, prepare_inputs
from training.run.report import write_run_report
from training.run.state import RunState, read_run_state
from training.run.trainer import Schedule, TrainerOptions, make_trainer
from training.support.devices import device_dtype, processes
from training.support.progress import StepProgress, no_progress

ADAPTER_FOLDER = "adapter"


@dataclass(frozen=True)
class MemberRun:
    """The result of a run. ``adapter`` is None when no chunk ended well: there is nothing better than the base."""

    member: MemberRecipe
    adapter: Path | None
    alpha: float
    rows: int
    """Those trained on."""
    too_long: int
    """Rows left out because they need more tokens than the recipe's ``run.max_tokens``."""
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
    advance: StepProgress = no_progress,
) -> MemberRun:
    """Trains ``member`` on the model in ``checkpoint``.

    A run that was killed goes on from its last whole checkpoint and ends with the same weights. Raises InputError when
    the folder holds a run of another recipe, DiskSpaceError before a save that would not fit, MissingExtraError.
    """
    folder = Path(recipe.runs) / member.name
    inputs = prepare_inputs(recipe, member, checkpoint, train, validation, folder)
    with RunLog(folder / METRICS_FILE) if processes().is_main_process else nullcontext() as log:
        # A guard ends an attempt; what it decided is in the log, and the next attempt starts from there.
        while not (state := read_run_state(folder, member, recipe, inputs.digest)).is_done(len(inputs.plan.steps)):
            _Attempt(recipe, member, checkpoint, folder, inputs, log, state, advance).run()
    with processes().main_process_first():
        adapter = _export(_adapted_model(recipe, member, checkpoint, inputs, state), folder, state, recipe)
        write_run_report(folder)
    steps = [record for record in read_run_log(folder / METRICS_FILE) if isinstance(record, StepRecord)]
    return MemberRun(
        member=member,
        adapter=adapter,
        alpha=state.alphas.alpha,
        rows=len(inputs.rows),
        too_long=inputs.too_long,
        steps=state.step,
        tokens=sum(record.tokens for record in steps),
        seconds=sum(record.seconds for record in steps),
        decisions=state.decisions,
    )


@dataclass(frozen=True)
class _Attempt:
    """One go at the plan's remaining steps, until they are done or a guard ends it."""

    recipe: TrainRecipe
    member: MemberRecipe
    checkpoint: Path
    folder: Path
    inputs: MemberInputs
    log: RunLog | None
    """None in every process but the main one."""
    state: RunState
    advance: StepProgress

    def run(self) -> None:
        """Trains, and writes what a guard decided to the log."""
        model = _adapted_model(self.recipe, self.member, self.checkpoint, self.inputs, self.state)
        if self.log is not None and self.state.records:
            self.log.truncate_after(self.state.step)
        self._describe_rows()
        monitor = RunMonitor(
            self.inputs.plan,
            self.inputs.probes,
            self._watches(self._start_stats(model)),
            self.state.checkpoints,
            self.log,
            self.advance,
        )
        given = self.inputs
        schedule = Schedule(given.plan, given.rows, given.parts, given.seed, 0.5**self.state.collapses)
        options = TrainerOptions(schedule, given.collator, self.member, self.recipe.run, self.folder)
        trainer = make_trainer(model, given.processing_class, options, [make_callback(monitor)])
        at = self.state.checkpoint_step
        trainer.train(resume_from_checkpoint=str(self.state.checkpoints.path(at)) if at else None)
        decision = self.state.alphas.apply(monitor.decision)
        if decision.action != "go" and self.log is not None:
            self.log.write(DecisionRecord(trainer.state.global_step, decision.action, decision.reason))
        processes().wait_for_everyone()

    def _describe_rows(self) -> None:
        """Heads the log with what is trained on; once, also where a run is gone on with."""
        described = RowsRecord(0, len(self.inputs.rows), self.inputs.too_long, self.recipe.run.max_tokens)
        if self.log is not None and described not in self.state.records:
            self.log.write(described)

    def _start_stats(self, model: Any) -> ProbeStats:
        """The probes before the first step, asked once a run and alpha."""
        if (known := self.state.start_stats) is not None:
            return known
        asked = self.inputs.probes(_on_device(model))
        if self.log is not None:
            self.log.write(probe_record(0, -1, asked))
        return asked

    def _watches(self, start: ProbeStats) -> Watches:
        guards = self.recipe.guards
        return Watches(
            GradientWatch(guards, self.state.gradient_norms), CollapseWatch(guards, start, self.state.collapses)
        )


def _adapted_model(
    recipe: TrainRecipe, member: MemberRecipe, checkpoint: Path, inputs: MemberInputs, state: RunState
) -> Any:
    """The base with the member's adapter as it is before the first step, at the alpha that is the run's now."""
    adapter = member.adapter.model_copy(update={"alpha": state.alphas.alpha})
    return attach_adapter(_load_model(checkpoint, recipe), adapter, seed=inputs.seed)


def _load_model(checkpoint: Path, recipe: TrainRecipe) -> Any:
    import torch

    from agents.engines.torch.engine import load_model

    dtype = getattr(torch, recipe.run.dtype or device_dtype())
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


def _export(model: Any, folder: Path, state: RunState, recipe: TrainRecipe) -> Path | None:
    """Write the adapter of the last good chunk as a plain PEFT folder; None when there is none."""
    if state.checkpoint_step is None:
        return None
    load_trained(state.checkpoints.path(state.checkpoint_step), model)
    return save_adapter(model, folder / ADAPTER_FOLDER, dtype=recipe.adapter_dtype)
