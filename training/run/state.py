"""Where a member's run stands, read from what it left in its folder: the log, and the checkpoints that are whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.guards import AlphaFallback, ProbeStats
from training.recipe import MemberRecipe, TrainRecipe
from training.run.checkpoints import Checkpoints
from training.run.log import METRICS_FILE, DecisionRecord, ProbeRecord, Record, StepRecord, read_run_log
from training.support.devices import processes


@dataclass(frozen=True)
class RunState:
    """What happened so far. A fresh run has no records; nothing of this is kept anywhere else than on disk."""

    records: Sequence[Record]
    alphas: AlphaFallback
    checkpoints: Checkpoints
    checkpoint_step: int | None
    """The step of the last good chunk, or None when there is none."""

    @property
    def decisions(self) -> list[DecisionRecord]:
        return [record for record in self.records if isinstance(record, DecisionRecord)]

    @property
    def collapses(self) -> int:
        return sum(decision.action == "roll_back" for decision in self.decisions)

    @property
    def step(self) -> int:
        """The steps done that are kept."""
        return self.checkpoint_step or 0

    def is_done(self, steps: int) -> bool:
        """Whether nothing is left to train: all ``steps`` of the plan are done, or a guard said stop."""
        return self.checkpoint_step == steps or bool(self.decisions and self.decisions[-1].action == "stop")

    @property
    def start_stats(self) -> ProbeStats | None:
        """The probes before the first step, if they were asked already."""
        probes = (record for record in self._since_restart if isinstance(record, ProbeRecord))
        return next((record for record in probes if record.chunk == -1), None)

    @property
    def gradient_norms(self) -> list[float]:
        """Of the steps that are kept."""
        steps = (record for record in self._since_restart if isinstance(record, StepRecord))
        return [record.gradient_norm for record in steps if record.step <= self.step]

    @property
    def _since_restart(self) -> Sequence[Record]:
        """The records since the run last started from the beginning."""
        for place in range(len(self.records) - 1, -1, -1):
            record = self.records[place]
            if isinstance(record, DecisionRecord) and record.action == "restart_lower_alpha":
                return self.records[place + 1 :]
        return self.records


def read_run_state(folder: Path, member: MemberRecipe, recipe: TrainRecipe, digest: str) -> RunState:
    """The state of the run of ``member`` in ``folder``.

    What a killed save left behind is removed, and so are checkpoints of another alpha.

    Raises InputError for checkpoints of another recipe, whose digest is not ``digest``; FileError for a broken log.
    """
    log = folder / METRICS_FILE
    records = read_run_log(log) if log.exists() else []
    restarts = sum(isinstance(r, DecisionRecord) and r.action == "restart_lower_alpha" for r in records)
    alphas = AlphaFallback(member.adapter.alpha, member.alpha_fallbacks, restarts)
    checkpoints = Checkpoints(
        folder,
        identity={"digest": digest, "alpha": alphas.alpha},
        keep=recipe.run.keep_checkpoints,
        reserve_bytes=int(recipe.guards.disk_reserve_gb * 1e9),
    )
    with processes().main_process_first():
        checkpoints.remove_unusable()
        steps = checkpoints.whole_steps()
    return RunState(records, alphas, checkpoints, steps[-1] if steps else None)
