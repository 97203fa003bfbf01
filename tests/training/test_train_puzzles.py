"""A member trained on puzzles and measured on held-out ones, by family and level, on the tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from tiny_checkpoint import write_tiny_checkpoint
from training_toys import toy_member, toy_recipe

import puzzles
from agents.ensemble.manifest_file import read_manifest
from aiac.cli import run as aiac
from training.support.statistics import wilson_interval

CELLS = len(puzzles.FAMILIES) * len(puzzles.LEVELS)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("puzzles")
    write_tiny_checkpoint(folder / "base")
    data = {"output": str(folder / "data"), "sources": [{"name": "puzzles", "rows": 2 * CELLS}]}
    release = {
        "base": [{"name": "base", "method": "cloze"}],
        "fit": {"data": ["puzzles:validation"], "rows_per_file": 2 * CELLS},
        "significance": 0.999,
    }
    recipe = toy_recipe(folder, folder / "base", [toy_member()], data=data, release=release)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json", exclude_none=True)))
    assert aiac(["train", str(folder / "recipe.yaml")]) == 0
    return folder


def test_the_ensemble_is_weighed_on_held_out_puzzles_and_no_file(trained: Path) -> None:
    manifest = read_manifest(trained / "ensemble")
    assert {name: file["rows"] for name, file in manifest.provenance["data"].items()} == {
        "puzzles:validation": 2 * CELLS
    }


def test_validation_breaks_held_out_puzzles_down_by_family_and_level(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report_file, ensemble = trained / "report.json", str(trained / "ensemble")
    arguments = ["puzzles:test", "--limit", str(2 * CELLS), "--ensemble", ensemble, "--against", ensemble]
    assert aiac(["validate", *arguments, "--json", str(report_file)]) == 0
    report = json.loads(report_file.read_text())
    assert report["files"]["puzzles:test"]["rows"] == 2 * CELLS
    for pool in (report["voters"]["pool"], report["against"]["pool"]):
        assert {name: cell["rows"] for name, cell in pool["by_topic"].items()} == dict.fromkeys(puzzles.FAMILIES, 6)
        assert {name: cell["rows"] for name, cell in pool["by_level"].items()} == dict.fromkeys(puzzles.LEVELS, 14)
        for cell in pool["by_level"].values():
            assert (cell["low"], cell["high"]) == wilson_interval(cell["correct"], cell["rows"])
    shown = capsys.readouterr().out
    assert "Accuracy by level" in shown
    assert all(family in shown for family in puzzles.FAMILIES)


def test_puzzles_without_a_number_of_rows_are_refused_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert aiac(["validate", "puzzles:test"]) == 2
    assert "puzzles: found no number of rows; expected one" in capsys.readouterr().err


@pytest.mark.parametrize(("recipe", "rows"), [("puzzles-lora", "2,992"), ("questioner-lora", "998")])
def test_the_recipes_pass_a_dry_run_before_anything_is_built(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], recipe: str, rows: str
) -> None:
    fields = yaml.safe_load((ROOT / "recipes" / f"{recipe}.yaml").read_text())
    fields = {**fields, "model": "Qwen2.5-72B-Instruct", "data": {**fields["data"], "output": str(tmp_path / "data")}}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(fields))
    assert aiac(["train", str(tmp_path / "recipe.yaml"), "--dry-run"]) == 0
    assert f"{rows} rows after holding out 5%" in capsys.readouterr().out
