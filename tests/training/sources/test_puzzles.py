"""Puzzles as a source of rows: balanced, seeded, and with nothing shared between splits."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, islice
from pathlib import Path

import pytest

import puzzles
from agents.core.errors import InputError
from puzzles.difficulty import level_of
from training.curation.keyed_rows import named_data
from training.curation.recipe import DataRecipe
from training.sources import SPLITS, SourceRow, licence_of, read_source
from training.sources.puzzles import DIGITS, HARDEST, puzzle_rows, relative_difficulty
from training.sources.source import Split

CELLS = len(puzzles.FAMILIES) * len(puzzles.LEVELS)


def rows_of(split: Split, count: int, *, seed: int = 0) -> list[SourceRow]:
    return list(islice(puzzle_rows(split, seed=seed), count))


def test_the_same_seed_gives_the_same_rows_and_another_gives_others() -> None:
    first, again, other = (rows_of("train", CELLS, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert not {row.id for row in first} & {row.id for row in other}


def test_any_first_rows_hold_each_family_and_level_equally_often() -> None:
    found = Counter((row.subject, row.proved and row.proved.level) for row in rows_of("train", 3 * CELLS))
    assert set(found) == {(family, level) for family in puzzles.FAMILIES for level in puzzles.LEVELS}
    assert set(found.values()) == {3}


def test_no_structure_is_in_two_splits_whatever_the_seeds() -> None:
    structures = {
        split: {row.proved.fingerprint for seed in (0, 1) for row in rows_of(split, 2 * CELLS, seed=seed) if row.proved}
        for split in SPLITS
    }
    assert all(structures.values())
    assert not any(structures[a] & structures[b] for a, b in combinations(SPLITS, 2))


def test_every_fingerprint_belongs_to_one_split() -> None:
    assert sorted("".join(DIGITS.values())) == sorted("0123456789abcdef")


def test_a_row_is_its_puzzle_with_the_proved_key() -> None:
    # The same puzzle found by its own generator, whose seeds are those of the split.
    row = rows_of("train", 1)[0]
    assert row.proved is not None
    known = next(p for p in puzzles.stream("syllogism", "easy", 0) if p.fingerprint == row.proved.fingerprint)
    assert (row.question.text, row.question.choices, row.question.key) == (known.question, known.choices, known.key)
    assert (row.proved.explanation, row.proved.level) == (known.explanation, "easy")
    assert row.id == f"puzzles/train/syllogism-easy-{known.fingerprint}"


@pytest.mark.parametrize(
    ("measured", "relative"),
    [(0, 0), (3.75, 1 / 6), (7.5, 1 / 3), (9, 1 / 2), (10.5, 2 / 3), (HARDEST, 1), (99, 1)],
)
def test_each_level_is_a_third_of_the_scale(measured: float, relative: float) -> None:
    assert relative_difficulty(measured) == pytest.approx(relative)


def test_a_harder_puzzle_is_never_lower_on_the_scale() -> None:
    measured = [step / 10 for step in range(180)]
    scale = [relative_difficulty(value) for value in measured]
    assert scale == sorted(scale)
    thirds = [("easy", "medium", "hard")[min(int(value * 3 + 1e-9), 2)] for value in scale]
    assert thirds == [level_of(value) for value in measured]


def test_puzzles_need_a_number_of_rows() -> None:
    with pytest.raises(InputError, match="puzzles: found no number of rows"):
        read_source("puzzles", "train")
    assert len(list(read_source("puzzles", "validation", limit=5))) == 5


def test_puzzles_are_made_here_and_may_be_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIAC_DATA_DIR", str(tmp_path))  # an empty folder: nothing is looked up in it
    assert len(list(read_source("puzzles", "train", limit=3))) == 3
    assert licence_of("puzzles") == ("MIT", "open")


def test_a_recipe_that_decontaminates_against_puzzles_is_told_that_it_need_not() -> None:
    with pytest.raises(ValueError, match="no structure is in two of their splits"):
        DataRecipe.model_validate({"output": "x", "sources": [{"name": "puzzles"}], "evaluation": ["puzzles:test"]})


def test_held_out_puzzles_are_scored_like_a_file() -> None:
    data = named_data("puzzles:test", limit=CELLS, seed=3)
    assert (data.name, len(data.rows), sum(data.skipped.values())) == ("puzzles:test", CELLS, 0)
    assert {(row.source, row.question.topic, row.level) for row in data.rows} == {
        ("puzzles", family, level) for family in puzzles.FAMILIES for level in puzzles.LEVELS
    }
    assert data.sha256 == named_data("puzzles:test", limit=CELLS, seed=3).sha256
    assert data.sha256 != named_data("puzzles:test", limit=CELLS, seed=4).sha256


@pytest.mark.parametrize(
    ("name", "expected"), [("puzzles:dev", "one of train, validation, test"), ("puzzles", "split")]
)
def test_an_unknown_split_of_puzzles_is_named(name: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        named_data(name, limit=1)
