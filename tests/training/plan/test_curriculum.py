"""The plan: easy before hard, every row once an epoch, replay of earlier chunks only, the same plan every time."""

from __future__ import annotations

import hashlib
import math
import random
from collections import Counter
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from pydantic import ValidationError
from scipy.stats import chi2, hypergeom

from agents.core.errors import FileError, InputError
from training.plan.curriculum import (
    CurriculumPlan,
    CurriculumRecipe,
    PlanStep,
    learning_rate_at,
    make_plan,
    replay_share,
    write_plan,
)
from training.support.reservoir import Reservoir

reproducibly = settings(derandomize=True, deadline=None, max_examples=60)


def rows_of(count: int, levels: int = 1_000_000) -> list[tuple[str, float]]:
    draw = random.Random(count)
    return [(f"row-{i}", draw.randrange(levels) / levels) for i in range(count)]


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[tuple[str, float]], CurriculumRecipe, int]:
    chunks = draw(st.integers(1, 7))
    rows = rows_of(draw(st.integers(chunks, 120)), levels=draw(st.sampled_from([1, 3, 1_000_000])))
    low, high = sorted(draw(st.tuples(st.floats(0, 0.5), st.floats(0, 0.5))))
    recipe = CurriculumRecipe(
        chunks=chunks,
        batch_rows=draw(st.integers(1, 9)),
        epochs=draw(st.integers(1, 3)),
        replay=(low, high),
        reservoir_rows=draw(st.integers(1, 40)),
    )
    return rows, recipe, draw(st.integers(0, 5))


def entries(plan: CurriculumPlan) -> list[tuple[int, str, bool]]:
    return [(s.chunk, row, again) for s in plan.steps for row, again in zip(s.row_ids, s.replayed, strict=True)]


@reproducibly
@given(cases())
def test_every_row_is_new_exactly_once_an_epoch(case: tuple[list[tuple[str, float]], CurriculumRecipe, int]) -> None:
    rows, recipe, seed = case
    fresh = [(chunk, row) for chunk, row, again in entries(make_plan(rows, recipe, seed=seed)) if not again]
    for epoch in range(recipe.epochs):
        ids = [row for chunk, row in fresh if chunk // recipe.chunks == epoch]
        assert sorted(ids) == sorted(row for row, _ in rows)


@reproducibly
@given(cases())
def test_chunks_are_in_order_of_difficulty_and_of_equal_size(
    case: tuple[list[tuple[str, float]], CurriculumRecipe, int],
) -> None:
    rows, recipe, seed = case
    difficulty = dict(rows)
    by_chunk: dict[int, list[float]] = {}
    for chunk, row, again in entries(make_plan(rows, recipe, seed=seed)):
        if not again:
            by_chunk.setdefault(chunk, []).append(difficulty[row])
    assert list(by_chunk) == list(range(recipe.chunks * recipe.epochs))
    sizes = [len(values) for values in by_chunk.values()]
    assert max(sizes) - min(sizes) <= 1
    for chunk in range(1, recipe.chunks):
        assert max(by_chunk[chunk - 1]) <= min(by_chunk[chunk])


@reproducibly
@given(cases())
def test_replayed_rows_are_of_earlier_chunks_at_the_recipes_share(
    case: tuple[list[tuple[str, float]], CurriculumRecipe, int],
) -> None:
    rows, recipe, seed = case
    seen: set[str] = set()
    everything = entries(make_plan(rows, recipe, seed=seed))
    for chunk in range(recipe.chunks * recipe.epochs):
        if chunk % recipe.chunks == 0:
            seen = set()
        new = [row for c, row, again in everything if c == chunk and not again]
        replayed = [row for c, row, again in everything if c == chunk and again]
        assert set(replayed) <= seen
        # The nearest whole number of rows to the share s of all rows: |r − s (n + r)| is at most (1 − s) / 2.
        share = replay_share(chunk % recipe.chunks, recipe)
        assert abs(len(replayed) - share * (len(new) + len(replayed))) <= (1 - share) / 2 + 1e-9
        counts = Counter(replayed)
        assert len(counts) <= recipe.reservoir_rows
        assert not counts or max(counts.values()) - min(counts.values()) <= 1
        seen |= set(new)


@reproducibly
@given(cases())
def test_replay_is_spread_evenly_and_no_step_is_a_remainder(
    case: tuple[list[tuple[str, float]], CurriculumRecipe, int],
) -> None:
    rows, recipe, seed = case
    plan = make_plan(rows, recipe, seed=seed)
    for chunk in range(recipe.chunks * recipe.epochs):
        steps = [step for step in plan.steps if step.chunk == chunk]
        sizes = [len(step.row_ids) for step in steps]
        assert len(steps) == math.ceil(sum(sizes) / recipe.batch_rows)
        assert max(sizes) - min(sizes) <= 1
        assert min(sizes) >= min(sum(sizes), (recipe.batch_rows + 1) // 2)
        share = sum(sum(step.replayed) for step in steps) / sum(sizes)
        assert all(abs(sum(step.replayed) - share * len(step.row_ids)) < 1 for step in steps)


@reproducibly
@given(cases())
def test_steps_are_numbered_and_chunks_end_where_the_next_begins(
    case: tuple[list[tuple[str, float]], CurriculumRecipe, int],
) -> None:
    rows, recipe, seed = case
    plan = make_plan(rows, recipe, seed=seed)
    assert [step.step for step in plan.steps] == list(range(len(plan.steps)))
    ends = [0, *plan.chunk_ends]
    assert ends[-1] == len(plan.steps)
    for chunk, (start, end) in enumerate(pairwise(ends)):
        assert {step.chunk for step in plan.steps[start:end]} == {chunk}


@reproducibly
@given(cases())
def test_a_plan_is_written_a_row_for_each_step_and_position_and_as_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[list[tuple[str, float]], CurriculumRecipe, int]
) -> None:
    rows, recipe, seed = case
    folder = tmp_path_factory.mktemp("plan")
    plan = make_plan(rows, recipe, seed=seed)
    write_plan(plan, folder / "a.parquet")
    write_plan(make_plan(rows[::-1], recipe, seed=seed), folder / "b.parquet")
    assert parquet.read_table(folder / "a.parquet").to_pylist() == [
        {
            "step": step.step,
            "chunk": step.chunk,
            "position": position,
            "row_id": row_id,
            "replayed": step.replayed[position],
            "learning_rate": step.learning_rate,
        }
        for step in plan.steps
        for position, row_id in enumerate(step.row_ids)
    ]
    first, second = (hashlib.sha256((folder / f"{name}.parquet").read_bytes()).digest() for name in "ab")
    assert first == second
    assert sorted(file.name for file in folder.iterdir()) == ["a.parquet", "b.parquet"]


def test_another_seed_gives_another_plan() -> None:
    assert make_plan(rows_of(50), CurriculumRecipe(), seed=1) != make_plan(rows_of(50), CurriculumRecipe(), seed=2)


def test_replay_leaves_the_order_of_the_new_rows_as_it_is() -> None:
    with_replay, without = (
        entries(make_plan(rows_of(200), CurriculumRecipe(epochs=2, replay=replay), seed=3))
        for replay in ((0.1, 0.3), (0.0, 0.0))
    )
    assert [entry for entry in with_replay if not entry[2]] == without
    assert len(with_replay) > len(without)


def test_rows_of_one_difficulty_are_parted_by_chance_and_not_by_name() -> None:
    plan = make_plan([(f"row-{i:03}", 0.5) for i in range(100)], CurriculumRecipe(chunks=2), seed=0)
    first = {row for chunk, row, again in entries(plan) if chunk == 0 and not again}
    assert 10 < len([row for row in first if row < "row-050"]) < 40


def test_the_full_scale_plan_has_ten_chunks_of_5000_and_replays_10_to_20_percent() -> None:
    plan = make_plan(rows_of(50_000), CurriculumRecipe(), seed=0)
    counts = Counter((chunk, again) for chunk, _, again in entries(plan))
    assert [counts[c, False] for c in range(10)] == [5_000] * 10
    # 5000 s ÷ (1 − s), worked out by hand for s = 0.1, 0.1125, … 0.2
    assert [counts[c, True] for c in range(10)] == [0, 556, 634, 714, 797, 882, 970, 1061, 1154, 1250]


def test_the_share_of_replay_rises_linearly_from_the_second_chunk_to_the_last() -> None:
    recipe = CurriculumRecipe(chunks=5, replay=(0.1, 0.25))
    assert [replay_share(c, recipe) for c in range(5)] == pytest.approx([0, 0.1, 0.15, 0.2, 0.25])
    assert replay_share(1, CurriculumRecipe(chunks=2, replay=(0.1, 0.2))) == 0.1


def test_the_learning_rate_rises_through_warm_up_then_falls_to_its_last_value() -> None:
    recipe = CurriculumRecipe(learning_rate=(8e-4, 2e-4), warmup_steps=3)
    rates = [learning_rate_at(step, 10, recipe) for step in range(10)]
    assert rates == pytest.approx([2e-4, 4e-4, 6e-4, 8e-4, 7e-4, 6e-4, 5e-4, 4e-4, 3e-4, 2e-4])
    assert (rates[3], rates[-1]) == (8e-4, 2e-4)
    assert learning_rate_at(0, 1, CurriculumRecipe(learning_rate=(8e-4, 2e-4))) == 8e-4


def test_the_plan_holds_the_learning_rate_of_its_own_length() -> None:
    recipe = CurriculumRecipe(chunks=3, warmup_steps=2, epochs=2)
    plan = make_plan(rows_of(70), recipe, seed=0)
    assert [s.learning_rate for s in plan.steps] == [
        learning_rate_at(i, len(plan.steps), recipe) for i in range(len(plan.steps))
    ]


@pytest.mark.parametrize(
    ("rows", "changes", "sentence"),
    [
        ([("a", 0.1), ("b", 0.2)], {"chunks": 3}, "found 2 rows; expected at least one for each of the 3 chunks"),
        ([("a", 0.1), ("b", 0.2), ("a", 0.3)], {"chunks": 2}, "found the id a 2 times; expected every id once"),
        ([("a", 0.1), ("b", math.nan)], {"chunks": 1}, "difficulty of row b: found nan; expected a finite number"),
        ([("a", 0.1)], {"chunks": 1, "warmup_steps": 1}, "warmup_steps: found 1; expected fewer than the plan's 1"),
    ],
)
def test_rows_that_make_no_plan_are_refused(
    rows: list[tuple[str, float]], changes: dict[str, int], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        make_plan(rows, CurriculumRecipe(**changes), seed=0)


@pytest.mark.parametrize(
    "fields",
    [
        {"chunks": 0},
        {"batch_rows": 0},
        {"epochs": 0},
        {"learning_rate": [1e-5, 2e-5]},
        {"learning_rate": [1e-5, 0]},
        {"learning_rate": [math.inf, 1e-5]},
        {"warmup_steps": -1},
        {"replay": [0.2, 0.1]},
        {"replay": [0.1, 0.6]},
        {"replay": [math.nan, 0.2]},
        {"reservoir_rows": 0},
        {"chunk": 3},
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CurriculumRecipe.model_validate(fields)


def test_a_plan_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    plan = CurriculumPlan((PlanStep(0, 0, 1e-5, ("a",), (False,)),))
    with pytest.raises(FileError):
        write_plan(plan, tmp_path / "file" / "plan.parquet")
    (tmp_path / "plan.parquet").mkdir()
    with pytest.raises(FileError, match="found a folder"):
        write_plan(plan, tmp_path / "plan.parquet")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "plan.parquet"]


def sample(stream: int, capacity: int, seed: int) -> list[int]:
    reservoir: Reservoir[int] = Reservoir(capacity, random.Random(seed))
    for item in range(stream):
        reservoir.add(item)
    return reservoir.items


SAMPLES = 4_000


def test_a_reservoir_keeps_each_item_with_the_same_probability() -> None:
    stream, capacity = 60, 15
    counts = Counter(item for seed in range(SAMPLES) for item in sample(stream, capacity, seed))
    inclusion = capacity / stream
    expected, variance = SAMPLES * inclusion, SAMPLES * inclusion * (1 - inclusion)
    # Inclusions of one sample sum to its size, which takes away one degree of freedom.
    statistic = sum((counts[i] - expected) ** 2 for i in range(stream)) / variance * (stream - 1) / stream
    assert chi2.cdf(statistic, stream - 1) < 0.999
    assert all(abs(counts[i] - expected) < 4.5 * math.sqrt(variance) for i in range(stream))


def test_the_early_items_of_a_sample_are_hypergeometric() -> None:
    stream, capacity, early = 40, 10, 20
    counts = Counter(sum(item < early for item in sample(stream, capacity, seed)) for seed in range(SAMPLES))
    expected = {k: SAMPLES * float(hypergeom.pmf(k, stream, early, capacity)) for k in range(capacity + 1)}
    usual = [k for k in expected if expected[k] >= 5]
    statistic = sum((counts[k] - expected[k]) ** 2 / expected[k] for k in usual)
    assert chi2.cdf(statistic, len(usual) - 1) < 0.999


def test_every_sample_of_a_small_stream_is_equally_likely() -> None:
    counts = Counter(tuple(sorted(sample(5, 2, seed))) for seed in range(SAMPLES))
    expected = SAMPLES / math.comb(5, 2)
    statistic = sum((counts[pair] - expected) ** 2 / expected for pair in combinations(range(5), 2))
    assert chi2.cdf(statistic, math.comb(5, 2) - 1) < 0.999


def test_a_reservoir_keeps_all_of_a_stream_that_fits() -> None:
    assert sample(5, 5, 0) == [0, 1, 2, 3, 4]
    assert len(sample(1_000, 5, 0)) == 5
