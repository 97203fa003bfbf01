"""The curriculum as a plan: which rows each optimiser step trains on, and at what learning rate.

Nothing here depends on the model, so the plan is made before training and kept as a Parquet file, one row for each
step and position. Rows go from easy to hard in chunks of equal size (they differ by one row at most). Inside a chunk
the rows are shuffled, and rows of the chunks before it are replayed among them.

A chunk that is not a multiple of ``batch_rows`` is spread over its steps, whose sizes differ by one row at most: no
step is left with one row and a full learning rate. None has fewer than half of ``batch_rows``, unless its chunk has.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agents.core.errors import InputError
from agents.support.atomic_file import write_whole
from training.support.reservoir import Reservoir

COLUMNS = ("step", "chunk", "position", "row_id", "replayed", "learning_rate")


class CurriculumRecipe(BaseModel):
    """How rows become a plan."""

    model_config = ConfigDict(extra="forbid")
    chunks: int = Field(default=10, ge=1)
    """Parts of equal size, in order of difficulty. A checkpoint and a probe follow each; more of them cost time."""
    batch_rows: int = Field(default=8, ge=1)
    """Rows an optimiser step, over all devices and accumulation steps."""
    epochs: int = Field(default=1, ge=1)
    """Passes over all rows. Each goes through the chunks in order, with rows shuffled anew and an empty reservoir."""
    learning_rate: tuple[float, float] = (2e-5, 1e-5)
    """At the first step after warm-up and at the last step; it falls linearly between them."""
    warmup_steps: int = Field(default=0, ge=0)
    """Steps over which the learning rate rises linearly to its first value."""
    replay: tuple[float, float] = (0.10, 0.20)
    """Replayed rows ÷ all rows (new and replayed) of a chunk: in the second chunk and in the last; linear between."""
    reservoir_rows: int = Field(default=500, ge=1)
    """Rows of earlier chunks kept for replay."""

    @field_validator("learning_rate")
    @classmethod
    def _falls(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not (math.isfinite(value[0]) and 0 < value[1] <= value[0]):
            raise ValueError("two positive numbers, the second no larger than the first")
        return value

    @field_validator("replay")
    @classmethod
    def _rises(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= value[0] <= value[1] <= 0.5:
            raise ValueError("two shares from 0 to 0.5, the second no smaller than the first")
        return value


@dataclass(frozen=True)
class PlanStep:
    """One optimiser step. ``step`` counts from 0. ``chunk`` counts from 0 through all epochs and never starts again.

    ``row_ids`` are its rows in order; ``replayed`` says of each whether it was drawn from the reservoir.
    """

    step: int
    chunk: int
    learning_rate: float
    row_ids: tuple[str, ...]
    replayed: tuple[bool, ...]


@dataclass(frozen=True)
class CurriculumPlan:
    """Every step of a run, in order."""

    steps: tuple[PlanStep, ...]

    @property
    def chunk_ends(self) -> tuple[int, ...]:
        """The number of steps done at the end of each chunk; the last one is the number of all steps."""
        last = {step.chunk: step.step + 1 for step in self.steps}
        return tuple(last.values())


def make_plan(rows: Sequence[tuple[str, float]], recipe: CurriculumRecipe, *, seed: int) -> CurriculumPlan:
    """The plan for rows given as (id, difficulty). Every row is new exactly once an epoch.

    The same rows in any order, recipe and seed give the same plan; the replay settings do not change the order of the
    new rows. Raises InputError for an id that occurs twice, a difficulty that is not finite, fewer rows than chunks,
    and a warm-up that leaves no step.
    """
    _check_rows(rows, recipe)
    order_random, replay_random = Random(f"{seed} order"), Random(f"{seed} replay")  # noqa: S311
    chunks = _split_by_difficulty(rows, recipe.chunks, order_random)
    batches: list[tuple[int, list[tuple[str, bool]]]] = []
    for epoch in range(recipe.epochs):
        reservoir: Reservoir[str] = Reservoir(recipe.reservoir_rows, replay_random)
        for index, chunk in enumerate(chunks):
            new = order_random.sample(chunk, len(chunk))
            share = replay_share(index, recipe)
            replayed = _draw(reservoir.items, round(len(new) * share / (1 - share)), replay_random)
            number = epoch * recipe.chunks + index
            batches += [(number, batch) for batch in _batches(_interleave(new, replayed), recipe.batch_rows)]
            for row_id in new:
                reservoir.add(row_id)
    if recipe.warmup_steps >= len(batches):
        raise InputError("warmup_steps", str(recipe.warmup_steps), f"fewer than the plan's {len(batches)} steps")
    return CurriculumPlan(
        tuple(
            PlanStep(
                step=step,
                chunk=chunk,
                learning_rate=learning_rate_at(step, len(batches), recipe),
                row_ids=tuple(row_id for row_id, _ in batch),
                replayed=tuple(replayed for _, replayed in batch),
            )
            for step, (chunk, batch) in enumerate(batches)
        )
    )


def learning_rate_at(step: int, total_steps: int, recipe: CurriculumRecipe) -> float:
    """The learning rate of ``step``, counted from 0, in a run of ``total_steps``.

    Warm-up step i of w has (i + 1) / (w + 1) of the first value, so the step after it is the first with all of it.
    The last step has exactly the last value.
    """
    first, last = recipe.learning_rate
    if step < recipe.warmup_steps:
        return first * (step + 1) / (recipe.warmup_steps + 1)
    falling_steps = total_steps - 1 - recipe.warmup_steps
    if falling_steps <= 0:
        return first
    progress = (step - recipe.warmup_steps) / falling_steps
    return first * (1 - progress) + last * progress


def replay_share(chunk: int, recipe: CurriculumRecipe) -> float:
    """Replayed rows ÷ all rows of a chunk, counted from 0 in its epoch: 0 for the first, which has none before it.

    With two chunks the second is also the last, and has the first of the recipe's shares.
    """
    if chunk == 0:
        return 0.0
    first, last = recipe.replay
    return first + (last - first) * (chunk - 1) / max(recipe.chunks - 2, 1)


def write_plan(plan: CurriculumPlan, path: Path) -> None:
    """Writes the plan as Parquet, whole or not at all; one pyarrow version writes one plan as the same bytes.

    Raises FileError when it cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    records = [
        (step.step, step.chunk, position, row_id, replayed, step.learning_rate)
        for step in plan.steps
        for position, (row_id, replayed) in enumerate(zip(step.row_ids, step.replayed, strict=True))
    ]
    table = pa.table(dict(zip(COLUMNS, map(list, zip(*records, strict=True)), strict=True)), schema=_schema())
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, version="2.6", compression="snappy", store_schema=False)
    write_whole(path, sink.getvalue().to_pybytes())


def _schema() -> Any:
    import pyarrow as pa

    types = (pa.int32(), pa.int32(), pa.int32(), pa.string(), pa.bool_(), pa.float64())
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in zip(COLUMNS, types, strict=True)])


def _check_rows(rows: Sequence[tuple[str, float]], recipe: CurriculumRecipe) -> None:
    if len(rows) < recipe.chunks:
        raise InputError("rows", f"{len(rows)} rows", f"at least one for each of the {recipe.chunks} chunks")
    for row_id, difficulty in rows:
        if not math.isfinite(difficulty):
            raise InputError(f"difficulty of row {row_id}", str(difficulty), "a finite number")
    row_id, times = Counter(row_id for row_id, _ in rows).most_common(1)[0]
    if times > 1:
        raise InputError("rows", f"the id {row_id} {times} times", "every id once")


def _split_by_difficulty(rows: Sequence[tuple[str, float]], chunks: int, random: Random) -> list[list[str]]:
    """Row ids in chunks from easy to hard; rows of one difficulty fall to either side of a border by chance."""
    ordered = sorted(rows)
    random.shuffle(ordered)
    ordered.sort(key=lambda row: row[1])
    borders = [len(ordered) * i // chunks for i in range(chunks + 1)]
    return [[row_id for row_id, _ in ordered[borders[i] : borders[i + 1]]] for i in range(chunks)]


def _draw(reservoir: Sequence[str], count: int, random: Random) -> list[str]:
    """``count`` rows in shuffled passes over the reservoir: none comes again before all have come."""
    drawn: list[str] = []
    while len(drawn) < count:
        drawn += random.sample(reservoir, min(len(reservoir), count - len(drawn)))
    return drawn


def _interleave(new: Sequence[str], replayed: Sequence[str]) -> list[tuple[str, bool]]:
    """Rows with a mark for the replayed ones, those at equal distances among the others."""
    total, fresh, again = len(new) + len(replayed), iter(new), iter(replayed)
    marks = [(i + 1) * len(replayed) // total > i * len(replayed) // total for i in range(total)]
    return [(next(again), True) if mark else (next(fresh), False) for mark in marks]


def _batches(rows: list[tuple[str, bool]], batch_rows: int) -> Iterator[list[tuple[str, bool]]]:
    steps = math.ceil(len(rows) / batch_rows)
    for i in range(steps):
        yield rows[len(rows) * i // steps : len(rows) * (i + 1) // steps]
