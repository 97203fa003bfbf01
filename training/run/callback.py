"""The trainer's callback: logs every step, probes at each chunk's end, and does what the guards decide."""

from __future__ import annotations

import json
import shutil
import time
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from agents.support.atomic_file import write_whole
from training.guards import CollapseWatch, GradientWatch, GuardRecipe, ProbeStats, Verdict
from training.plan.curriculum import Plan
from training.run.log import Record, RunLog, StepRecord, probe_record
from training.support.disk import predict_save_bytes, require_disk
from training.support.progress import StepProgress

COMPLETE_FILE = "complete.json"
"""Written into a checkpoint after everything else: a folder without it is what a killed run left."""


class Probe(Protocol):
    """Asks the model the probe rows."""

    def __call__(self, model: Any) -> ProbeStats: ...


class Watch:
    """What a run's callback needs, and the verdict that ended it; ``go`` when nothing did."""

    def __init__(
        self,
        *,
        folder: Path,
        log: RunLog,
        plan: Plan,
        probe: Probe,
        gradients: GradientWatch,
        collapse: CollapseWatch,
        guards: GuardRecipe,
        keep_checkpoints: int,
        identity: dict[str, Any],
        advance: StepProgress,
        is_main: bool,
    ) -> None:
        self.folder, self.plan = folder, plan
        self._log, self._is_main = log, is_main
        self._probe, self._gradients, self._collapse = probe, gradients, collapse
        self._guards, self._keep, self._identity = guards, keep_checkpoints, identity
        self._advance = advance
        self._ends = {end: chunk for chunk, end in enumerate(plan.chunk_ends)}
        self._step_started = time.perf_counter()
        self._tokens = 0
        self.verdict = Verdict("go")

    def started(self) -> None:
        self._step_started = time.perf_counter()

    def logged(self, step: int, logs: dict[str, Any], tokens: int) -> Verdict:
        """Takes the numbers of a step that is done, counted from 1."""
        now = time.perf_counter()
        record = StepRecord(
            step=step,
            chunk=self.plan.steps[step - 1].chunk,
            loss=float(logs["loss"]),
            learning_rate=float(logs["learning_rate"]),
            gradient_norm=float(logs["grad_norm"]),
            tokens=tokens - self._tokens,
            seconds=now - self._step_started,
        )
        self._tokens, self._step_started = tokens, now
        self._write(record)
        self._advance(step, len(self.plan.steps))
        return self._decide(self._gradients.see(step, record.gradient_norm, record.loss))

    def chunk_ended(self, step: int, model: Any) -> bool:
        """Probes when ``step`` ends a chunk. True when it is to be saved as a good one."""
        chunk = self._ends.get(step)
        if chunk is None or self.verdict.action != "go":
            return False
        asked = time.perf_counter()
        stats = self._probe(model)
        self._step_started += time.perf_counter() - asked
        self._write(probe_record(step, chunk, stats))
        if self._decide(self._collapse.see(chunk, stats)).action != "go":
            return False
        trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
        require_disk(self.folder, predict_save_bytes(trained, 4), int(self._guards.disk_reserve_gb * 1e9))
        return True

    def saved(self, step: int) -> None:
        """Marks the checkpoint as whole, and removes those no longer kept."""
        if not self._is_main:
            return
        write_whole(checkpoint_at(self.folder, step) / COMPLETE_FILE, json.dumps({"step": step, **self._identity}))
        for old in whole_checkpoints(self.folder)[: -self._keep]:
            shutil.rmtree(checkpoint_at(self.folder, old))

    def _write(self, record: Record) -> None:
        if self._is_main:
            self._log.write(record)

    def _decide(self, verdict: Verdict) -> Verdict:
        if verdict.action != "go":
            self.verdict = verdict
        return verdict


def checkpoint_at(folder: Path, step: int) -> Path:
    return folder / f"checkpoint-{step}"


def whole_checkpoints(folder: Path) -> list[int]:
    """The steps of the checkpoints that were written to their end, in order."""
    return sorted(int(f.parent.name.removeprefix("checkpoint-")) for f in folder.glob(f"checkpoint-*/{COMPLETE_FILE}"))


def make_callback(watch: Watch) -> Any:
    """``watch`` as a callback of transformers' trainer.

    Every process of a distributed run sees the same numbers and so decides the same; the main one alone writes.
    """
    return _callback_class()(watch)


@cache
def _callback_class() -> Any:
    from transformers import TrainerCallback

    class WatchCallback(TrainerCallback):  # type: ignore[misc]
        def __init__(self, watch: Watch) -> None:
            self._watch = watch

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self._watch.started()

        def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
            control.should_save = self._watch.chunk_ended(state.global_step, model)
            control.should_training_stop |= self._watch.verdict.action != "go"

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            # After on_step_end, before saving: a step that is not sound is not saved, whatever its probes said.
            if "grad_norm" in logs:
                tokens = int(logs.get("num_tokens", 0))
                if self._watch.logged(state.global_step, logs, tokens).action != "go":
                    control.should_save, control.should_training_stop = False, True

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self._watch.saved(state.global_step)

    return WatchCallback
