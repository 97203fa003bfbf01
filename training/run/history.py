"""What happened in a run, sorted out: the steps that made its last weights, and those that a guard took back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.run.log import DecisionRecord, ProbeRecord, Record, RowsRecord, StepRecord


@dataclass(frozen=True)
class History:
    """The records of a run, sorted out. What the guards undid is kept apart; ``undone_steps`` has a list each time."""

    steps: list[StepRecord]
    probes: list[ProbeRecord]
    decisions: list[DecisionRecord]
    undone_steps: list[list[StepRecord]]
    undone_probes: list[ProbeRecord]
    rows: RowsRecord | None = None
    """None in the log of a run from before rows were recorded."""


def sort_history(records: Sequence[Record]) -> History:
    """Parts what led to the run's last weights from what was undone on the way.

    A step that comes again undoes what came since its first time. A decision with no step after it undoes the chunk it
    was made in, because the run keeps the chunks before.
    """
    described = [record for record in records if isinstance(record, RowsRecord)]
    history = History([], [], [], [], [], described[-1] if described else None)
    decided = False
    for record in records:
        if isinstance(record, RowsRecord):
            continue
        if isinstance(record, DecisionRecord):
            history.decisions.append(record)
            decided = True
            continue
        _undo_from(history, record.step, steps=isinstance(record, StepRecord))
        if isinstance(record, StepRecord):
            history.steps.append(record)
            decided = False
        else:
            history.probes.append(record)
    if decided and history.steps:
        chunk = history.steps[-1].chunk
        _undo_from(history, next(step.step for step in history.steps if step.chunk == chunk))
    return history


def _undo_from(history: History, step: int, steps: bool = True) -> None:
    """Moves the kept probes from ``step`` on, and the ``steps`` too, to those undone."""
    if steps and history.steps and history.steps[-1].step >= step:
        undone = [record for record in history.steps if record.step >= step]
        history.undone_steps.append(undone)
        del history.steps[-len(undone) :]
    while history.probes and history.probes[-1].step >= step:
        history.undone_probes.append(history.probes.pop())
