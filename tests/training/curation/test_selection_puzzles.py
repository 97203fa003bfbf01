"""Puzzles in a data set: their own difficulty, grouped by structure, alone and beside other sources."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

import puzzles
from agents.core.errors import InputError
from agents.core.schema import Question
from training.curation.build import build_data
from training.curation.recipe import DataRecipe
from training.curation.rows import CuratedRow, read_rows
from training.sources import read_source

CELLS = len(puzzles.FAMILIES) * len(puzzles.LEVELS)
WORDS = [f"{a}{b}" for a in ("gran", "bel", "tor", "mik", "sul", "pon") for b in ("ite", "um", "oon", "ak")]


def recipe(folder: Path, **changes: object) -> DataRecipe:
    fields = {"output": str(folder / "out"), "sources": [{"name": "puzzles", "rows": 4 * CELLS}], "seed": 5}
    return DataRecipe.model_validate({**fields, **changes})


def read_both(folder: Path) -> tuple[list[CuratedRow], list[CuratedRow]]:
    return read_rows(folder / "out" / "train.parquet"), read_rows(folder / "out" / "validation.parquet")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    build_data(recipe(folder))
    return folder


def test_none_is_lost_to_rows_that_only_share_a_template(alone: Path) -> None:
    train, validation = read_both(alone)
    assert (len(train), len(validation)) == (round(0.9 * 4 * CELLS), round(0.1 * 4 * CELLS))
    assert Counter(row.group for row in [*train, *validation]).most_common(1)[0][1] == 1


def test_difficulty_and_level_are_the_puzzles_own(alone: Path) -> None:
    own = {row.id: row.proved for row in read_source("puzzles", "train", seed=5, limit=4 * CELLS) if hasattr(row, "id")}
    for row in [rows for part in read_both(alone) for rows in part]:
        known = own[row.id]
        assert known is not None
        assert row.difficulty == pytest.approx(known.difficulty)
        assert (row.level, row.explanation, row.subject) == (known.level, known.explanation, row.question.topic)


def test_the_card_says_where_the_difficulty_is_from_and_under_what_terms(alone: Path) -> None:
    card = (alone / "out" / "card.md").read_text()
    assert "Difficulty is measured on each row's proof." in card
    assert "| puzzles | train | MIT | open |" in card


def by_length(questions: list[Question]) -> list[float]:
    return [len(question.text) / 1000 for question in questions]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mixed")
    draw = random.Random(1)
    lines = [
        {
            "question": " ".join(draw.choices(WORDS, k=draw.randint(5, 60))),
            "choices": draw.sample(WORDS, 4),
            "answer": "A",
        }
        for _ in range(300)
    ]
    (folder / "other.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    sources = [{"name": "puzzles", "rows": 4 * CELLS}, {"name": str(folder / "other.jsonl")}]
    build_data(recipe(folder, sources=sources, validation_share=0), scorer=by_length)
    return folder


def test_beside_other_sources_a_puzzle_stands_at_its_rank_among_their_difficulties(mixed: Path) -> None:
    train, _ = read_both(mixed)
    others = sorted(len(row.question.text) / 1000 for row in train if row.source == "other")
    own = {row.id: row.proved for row in read_source("puzzles", "train", seed=5, limit=4 * CELLS) if hasattr(row, "id")}
    made = [row for row in train if row.source == "puzzles"]
    assert (len(others), len(made)) == (300, 4 * CELLS)
    for row in made:
        known = own[row.id]
        assert known is not None
        easier = sum(value < row.difficulty for value in others) / len(others)
        assert easier == pytest.approx(known.difficulty, abs=0.02)


def test_beside_other_sources_no_kind_of_row_crowds_a_level(mixed: Path) -> None:
    train, _ = read_both(mixed)
    levels = {source: Counter(row.level for row in train if row.source == source) for source in ("puzzles", "other")}
    for counts in levels.values():
        assert all(abs(count / counts.total() - 1 / 3) < 0.05 for count in counts.values())
    card = (mixed / "out" / "card.md").read_text()
    assert f"That of {4 * CELLS} rows is measured on their proofs" in card


def test_rows_of_other_sources_have_no_explanation(mixed: Path) -> None:
    assert {row.explanation is None for row in read_both(mixed)[0] if row.source == "other"} == {True}


def test_puzzles_without_a_number_of_rows_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no number of rows"):
        build_data(recipe(tmp_path, sources=[{"name": "puzzles"}]))
    assert not (tmp_path / "out").exists()
