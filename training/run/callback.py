"""The trainer's callback: logs every step, probes at each chunk's end, and does what the guards decide."""

from __future__ import annotations

import time
from functools import cache
from typing import Any, NamedTuple

from training.guards import GO, CollapseWatch, GradientWatch, GuardDecision
from training.plan.curriculum import CurriculumPlan
from training.run.checkpoints import Checkpoints
from training.run.log import Record, RunLog, StepRecord, probe_record
from training.run.training_probes import TrainingProbes
from training.support.progress import StepProgress


class Watches(NamedTuple):
    """The guards that a run is watched by."""

    gradients: GradientWatch
    collapse: CollapseWatch


class RunMonitor:
    """Watches a run, and keeps the guard's decision that ended it: ``GO`` when none did.

    ``log`` is None in every process but the main one, which alone writes.
    """

    def __init__(
        self,
        plan: CurriculumPlan,
        probes: TrainingProbes,
        watches: Watches,
        checkpoints: Checkpoints,
        log: RunLog | None,
        advance: StepProgress,
    ) -> None:
        self.plan = plan
        self._probes, self._watches, self._checkpoints = probes, watches, checkpoints
        self._log, self._advance = log, advance
        self._ends = {end: chunk for chunk, end in enumerate(plan.chunk_ends)}
        self._step_started = time.perf_counter()
        self._tokens = 0
        self.decision = GO

    def started(self) -> None:
        self._step_started = time.perf_counter()

    def logged(self, step: int, logs: dict[str, Any], tokens: int) -> GuardDecision:
        """Take the numbers of a step that is done, counted from 1."""
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
        return self._decide(self._watches.gradients.see(step, record.gradient_norm, record.loss))

    def chunk_ended(self, step: int, model: Any) -> bool:
        """Probe when ``step`` ends a chunk. True when it is to be saved as a good one."""
        chunk = self._ends.get(step)
        if chunk is None or self.decision.action != "go":
            return False
        asked = time.perf_counter()
        stats = self._probes(model)
        self._step_started += time.perf_counter() - asked
        self._write(probe_record(step, chunk, stats))
        if self._decide(self._watches.collapse.see(chunk, stats)).action != "go":
            return False
        self._checkpoints.require_room(model)
        return True

    def saved(self, step: int) -> None:
        """Mark the checkpoint as whole, and remove those no longer kept."""
        if self._log is not None:
            self._checkpoints.mark_whole(step)

    def _write(self, record: Record) -> None:
        if self._log is not None:
            self._log.write(record)

    def _decide(self, decision: GuardDecision) -> GuardDecision:
        if decision.action != "go":
            self.decision = decision
        return decision


def make_callback(monitor: RunMonitor) -> Any:
    """Return ``monitor`` as a callback of transformers' trainer.

    Every process of a distributed run sees the same numbers and so decides the same; the main one alone writes.
    """
    return _callback_class()(monitor)


@cache
def _callback_class() -> Any:
    from transformers import TrainerCallback

    class MonitorCallback(TrainerCallback):  # type: ignore[misc]
        def __init__(self, monitor: RunMonitor) -> None:
            self._monitor = monitor

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self._monitor.started()

        def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
            control.should_save = self._monitor.chunk_ended(state.global_step, model)
            control.should_training_stop |= self._monitor.decision.action != "go"

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            # After on_step_end, before saving: a step that is not sound is not saved, whatever its probes said.
            if "grad_norm" in logs:
                tokens = int(logs.get("num_tokens", 0))
                if self._monitor.logged(state.global_step, logs, tokens).action != "go":
                    control.should_save, control.should_training_stop = False, True

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self._monitor.saved(state.global_step)

    return MonitorCallback
