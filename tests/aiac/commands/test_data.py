"""`aiac data`: a recipe in, a folder and its numbers out; bad input is one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_checkpoint import write_tiny_checkpoint

from aiac.cli import run


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    rows = [
        {
            "question": f"What are {i} and {i * i}?",
            "choices": [f"{3 * i}", f"{i} x", f"no {i}", "all"],
            "answer_index": 0,
        }
        for i in range(30)
    ]
    (tmp_path / "sums.train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return write_recipe(tmp_path)


def write_recipe(folder: Path, **changes: Any) -> Path:
    """A recipe whose other sections are of no concern here."""
    data = {"output": str(folder / "out"), "sources": [{"name": str(folder / "sums.train.jsonl")}], "seed": 3}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({"name": "tiny", "members": 5, "data": {**data, **changes}}))
    return path


def test_build_writes_the_folder_and_prints_its_numbers_and_its_path(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "build", str(recipe)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == str(recipe.parent / "out")
    assert "train.parquet" in out
    assert "rows/s" in out
    assert "scoring difficulty" in err
    assert (recipe.parent / "out" / "card.md").is_file()


def test_build_scores_difficulty_with_a_model_when_asked(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = write_tiny_checkpoint(recipe.parent / "model")
    assert run(["data", "build", str(recipe), "--difficulty", "model", "--model", str(checkpoint)]) == 0
    assert "difficulty by model" in capsys.readouterr().out
    assert json.loads((recipe.parent / "out" / "build.json").read_text())["difficulty"] == "model"


def test_inspect_shows_the_numbers_and_rows_of_a_level(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["data", "build", str(recipe)])
    capsys.readouterr()
    folder = str(recipe.parent / "out")
    assert run(["data", "inspect", folder, "--rows", "2", "--level", "hard"]) == 0
    out = capsys.readouterr().out
    assert "train.parquet" in out
    assert out.count("→") == out.count("· hard (") == 2
    assert run(["data", "inspect", folder, "--rows", "2", "--level", "hard"]) == 0
    assert capsys.readouterr().out == out
    assert run(["data", "inspect", folder, "--rows", "2", "--level", "hard", "--seed", "1"]) == 0
    assert capsys.readouterr().out != out


def test_text_in_brackets_is_shown_and_not_read_as_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"question": "What does [/bold] [red]close[/red]?", "choices": ["[b]", "[/i]"], "answer_index": 1}
    (tmp_path / "sums.train.jsonl").write_text(json.dumps(row) + "\n")
    assert run(["data", "build", str(write_recipe(tmp_path))]) == 0
    capsys.readouterr()
    assert run(["data", "inspect", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "What does [/bold] [red]close[/red]?" in out
    assert ") [/i]" in out


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"colour": "red"}, "data.colour: found an unknown field; expected one of output, sources, evaluation"),
        ({"sources": [{"name": "x", "row": 3}]}, "data.sources.0.row: found an unknown field; expected one of name"),
        ({"sources": []}, "data.sources: found a list of 0; expected list should have at least 1 item"),
        ({"validation_share": 1.5}, "data.validation_share: found float 1.5; expected input should be less than 1"),
        ({"group_similarity": 0.9}, "group_similarity must not be above near_duplicate_similarity"),
        ({"evaluation": ["gone.jsonl"]}, "no file gone.jsonl"),
        ({"sources": [{"name": "atlantis"}]}, "source: found 'atlantis'; expected a file ending in"),
    ],
)
def test_a_wrong_recipe_is_one_sentence_and_leaves_nothing(
    recipe: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], expected: str
) -> None:
    write_recipe(recipe.parent, **changes)
    assert run(["data", "build", str(recipe)]) == 2
    err = capsys.readouterr().err
    assert expected in err
    assert err.strip().count("\n") == 0
    assert sorted(path.name for path in recipe.parent.iterdir()) == ["recipe.yaml", "sums.train.jsonl"]


def test_a_recipe_without_a_data_section_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "recipe.yaml").write_text("name: x\n")
    assert run(["data", "build", str(tmp_path / "recipe.yaml")]) == 2
    assert "data: found no such section" in capsys.readouterr().err


def test_a_folder_without_a_data_set_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "inspect", str(tmp_path)]) == 2
    assert "build.json: found no such file or directory" in capsys.readouterr().err
