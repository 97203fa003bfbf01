"""A run's metrics.jsonl: one JSON object a line, appended as things happen.

``step`` counts the optimiser steps done: 1 after the first, 0 for what was measured before any. Numbers that are not
finite are written as the strings ``"nan"``, ``"inf"`` and ``"-inf"``, because JSON has none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias

from agents.core.errors import FileError, file_errors
from agents.support.atomic_file import write_whole
from agents.support.json_lines import JsonLinesFile, complete_lines
from training.guards import Action, ProbeStats

METRICS_FILE = "metrics.jsonl"
HOLDS = "the metrics of a run"


@dataclass(frozen=True)
class RowsRecord:
    """What the run trains on: so many rows, without those ``too_long`` for ``max_tokens``. Written at step 0."""

    step: int
    rows: int
    too_long: int
    max_tokens: int


@dataclass(frozen=True)
class StepRecord:
    """One optimiser step: mean loss in nats, gradient norm before clipping, tokens trained on, seconds it took."""

    step: int
    chunk: int
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens: int
    seconds: float


@dataclass(frozen=True)
class ProbeRecord(ProbeStats):
    """The probe set at the start (step 0, chunk -1) and at the end of each chunk, counted from 0."""

    step: int
    chunk: int


@dataclass(frozen=True)
class DecisionRecord:
    """What a guard made the trainer do at a step."""

    step: int
    action: Action
    reason: str


Record: TypeAlias = RowsRecord | StepRecord | ProbeRecord | DecisionRecord

KINDS: Mapping[str, type[Record]] = {
    "rows": RowsRecord,
    "step": StepRecord,
    "probe": ProbeRecord,
    "decision": DecisionRecord,
}


class RunLog:
    """Appends to ``path``, which need not exist; one process at a time. A torn last line is removed at the opening.

    Every record is handed to the system before ``write`` returns. Raises FileError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = JsonLinesFile(path, HOLDS)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, record: Record) -> None:
        """Append one record. Raises FileError."""
        self._file.append([_dump(record)])

    def truncate_after(self, step: int) -> None:
        """Remove what a killed run did after ``step``, from which it is resumed.

        Decisions stay, and so does all before the last of them: steps that a roll-back undid are part of the story.
        Raises FileError.
        """
        records = read_run_log(self.path)
        kept = len(records)
        while kept and not isinstance(records[kept - 1], DecisionRecord) and records[kept - 1].step > step:
            kept -= 1
        if kept < len(records):
            self._file.close()
            write_whole(self.path, b"".join(_dump(record) + b"\n" for record in records[:kept]))
            self._file = JsonLinesFile(self.path, HOLDS)


def read_run_log(path: Path) -> list[Record]:
    """Every record in order, without a torn last line. Raises FileError, which names the line that is no record."""
    with file_errors(path, HOLDS):
        data = path.read_bytes()
    return [_parse(line, number, path) for number, line in enumerate(complete_lines(data), start=1)]


def probe_record(step: int, chunk: int, stats: ProbeStats) -> ProbeRecord:
    """The record of ``stats``."""
    return ProbeRecord(**asdict(stats), step=step, chunk=chunk)


def _dump(record: Record) -> bytes:
    kind = next(kind for kind, cls in KINDS.items() if type(record) is cls)
    values = {
        name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(record).items()
    }
    return json.dumps({"kind": kind, **values}, ensure_ascii=False, allow_nan=False).encode()


def _parse(line: bytes, number: int, path: Path) -> Record:
    try:
        values: dict[str, Any] = json.loads(line)
        cls = KINDS[values.pop("kind")]
        for field in fields(cls):
            if field.type == "float":
                values[field.name] = float(values[field.name])
        return cls(**values)
    except (ValueError, KeyError, TypeError, AttributeError):
        expected = f"one of {', '.join(KINDS)} in JSON"
        raise FileError(f"{path}, line {number}", "no record of a run", expected) from None
