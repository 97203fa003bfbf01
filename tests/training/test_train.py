"""`aiac train` from a recipe to an ensemble that is served, on the tiny model."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tiny_checkpoint import write_tiny_checkpoint
from training_toys import toy_member, toy_recipe, toy_rows

from agents.core.deadline import Deadline
from agents.ensemble.engine_kinds import placement
from agents.ensemble.loading import load_ensemble
from agents.ensemble.manifest_file import read_manifest
from aiac.cli import run as aiac
from training.recipe import TrainRecipe
from training.train import release_opener


def write_questions(path: Path, rows: list[Any]) -> None:
    lines = [
        {
            "id": row.id,
            "question": row.question.text,
            "choices": list(row.question.choices),
            "answer_index": row.question.key,
        }
        for row in rows
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def write_recipe(folder: Path, recipe: TrainRecipe) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json", exclude_none=True)))
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    write_tiny_checkpoint(folder / "base")
    write_questions(folder / "toy.jsonl", toy_rows(90))
    write_questions(folder / "fit.jsonl", toy_rows(60, seed=5))
    data = {
        "output": str(folder / "data"),
        "sources": [{"name": str(folder / "toy.jsonl")}],
        "near_duplicate_similarity": 1.0,
        "group_similarity": 1.0,
        "validation_share": 0.2,
    }
    own = {**data, "output": str(folder / "own"), "validation_share": 0.3}
    members = [
        toy_member(),
        toy_member("dora", seed=1, export="checkpoint"),
        toy_member("rslora", learning_rate=(1e-7, 1e-7), data=own),
    ]
    recipe = toy_recipe(folder, folder / "base", members, data=data)
    assert aiac(["train", str(write_recipe(folder, recipe))]) == 0
    return folder


def test_the_ensemble_loads_reproduces_its_probes_and_answers(trained: Path) -> None:
    async def run() -> Any:
        loaded = await load_ensemble(trained / "ensemble", Path, placement("transformers", dtype="float32"))
        try:
            question = toy_rows(1, seed=9)[0].question
            return loaded.statuses, question, await loaded.answerer.answer(question, Deadline.never())
        finally:
            await loaded.close()

    statuses, question, verdict = asyncio.run(run())
    assert all(status.ready and status.difference_nats < 1e-3 for status in statuses)
    assert verdict.answer.letter == question.key_letter


def test_a_member_that_does_not_beat_the_base_is_left_out_with_its_reason(trained: Path) -> None:
    manifest = read_manifest(trained / "ensemble")
    assert "rslora" not in [member.name for member in manifest.members]
    assert "not significantly better" in manifest.provenance["rejected"]["rslora"]
    assert "rslora: " in (trained / "ensemble" / "report.md").read_text()


def test_what_is_served_is_trained_and_lies_in_the_ensemble(trained: Path) -> None:
    manifest = read_manifest(trained / "ensemble")
    assert {member.name: member.kind for member in manifest.members} == {"lora": "adapter", "dora": "checkpoint"}

    def files(member: str) -> list[str]:
        return sorted(file.name for file in (trained / "ensemble" / "members" / member).iterdir())

    assert files("lora") == ["adapter_config.json", "adapter_model.safetensors"]
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(files("dora"))


def test_the_card_and_the_reports_lie_beside_it(trained: Path) -> None:
    ensemble = trained / "ensemble"
    assert "toy" in (ensemble / "card.md").read_text()
    reports = [file.name for file in (ensemble / "reports").iterdir()]
    assert sorted(reports) == ["dora.html", "lora.html", "rslora-data", "rslora.html"]
    report = (ensemble / "report.md").read_text()
    for expected in ("| base |", "| lora |", "McNemar", "Taken: ", "nothing: every chunk was good"):
        assert expected in report


@pytest.mark.parametrize(("beside", "rows"), [("ensemble", 72), ("ensemble/reports/rslora-data", 63)])
def test_every_card_has_the_picture_that_it_shows_beside_it(trained: Path, beside: str, rows: int) -> None:
    card = (trained / beside / "card.md").read_text()
    assert f"{rows} to train on" in card
    [picture] = re.findall(r"!\[.*\]\((.*)\)", card)
    assert "<svg" in (trained / beside / picture).read_text()


def test_the_manifest_says_how_it_was_trained(trained: Path) -> None:
    training = read_manifest(trained / "ensemble").provenance["training"]
    assert training["lora"]["rows"] == 72
    assert training["lora"]["steps"] > 0
    assert training["dora"]["decisions"] == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"colour": 1}, "colour: found an unknown field; expected one of name, model"),
        (
            {"members": [{**toy_member(), "size": 1}]},
            "members.0.size: found an unknown field; expected one of name, adapter",
        ),
        (
            {"members": [toy_member("dora")], "release": {"engine": "vllm"}},
            "vLLM serves no DoRA adapter; use `export: checkpoint`",
        ),
        (
            {"members": [toy_member(adapter={"type": "lora", "rank": 600, "alpha": 1})], "release": {"engine": "vllm"}},
            "vLLM serves ranks up to 512, not 600",
        ),
        ({"members": [toy_member(orders=2)]}, "orders belong to letter members, and the method is cloze"),
        ({"members": [toy_member(alpha_fallbacks=[9])]}, "alpha_fallbacks [9.0] do not fall from alpha 8"),
        (
            {
                "data": {"output": "data", "sources": [{"name": "codah"}], "evaluation": ["codah:test"]},
                "release": {"fit": {"data": ["codah.validation.jsonl.gz"], "rows_per_file": 40}},
            },
            "release.fit.data has codah.validation.jsonl.gz, which data.evaluation lacks",
        ),
        ({"members": [toy_member(), toy_member()]}, "member names repeat: lora, lora, base"),
    ],
)
def test_an_impossible_recipe_gets_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], sentence: str
) -> None:
    fields = toy_recipe(tmp_path, "m", [toy_member()]).model_dump(mode="json", exclude_none=True)
    release = {**fields["release"], **changes.pop("release", {})}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({**fields, **changes, "release": release}))
    assert aiac(["train", str(path), "--dry-run"]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("evaluation", "fit"),
    [
        (["codah:validation"], "codah.validation.jsonl.gz"),
        (["codah:validation"], "elsewhere/codah.validation.jsonl"),
        (["mine/held-out.jsonl"], "mine/held-out.jsonl"),
        (["codah:test"], "puzzles:validation"),
        ([], "codah.validation.jsonl.gz"),
    ],
)
def test_rows_that_decide_a_release_are_kept_out_of_training_rows(
    tmp_path: Path, evaluation: list[str], fit: str
) -> None:
    release = {"base": [{"name": "base", "method": "cloze"}], "fit": {"data": [fit], "rows_per_file": 40}}
    data = {"output": "data", "sources": [{"name": "codah"}], "evaluation": evaluation}
    recipe = toy_recipe(tmp_path, "base", [toy_member()], data=data, release=release)
    assert recipe.data.evaluation == evaluation
    specialist = toy_member(data={**data, "output": "own", "evaluation": ["arc_easy:test"]})
    if fit != "puzzles:validation":
        with pytest.raises(ValueError, match=r"which data\.evaluation lacks"):
            toy_recipe(tmp_path, "base", [specialist], data=data, release=release)


def test_target_modules_that_do_not_exist_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tiny_checkpoint(tmp_path / "base")
    write_questions(tmp_path / "toy.jsonl", toy_rows(30))
    member = toy_member(adapter={"type": "lora", "rank": 4, "alpha": 8, "target_modules": ["q_proj", "wheel"]})
    data = {"output": str(tmp_path / "data"), "sources": [{"name": str(tmp_path / "toy.jsonl")}], "rows": 30}
    recipe = toy_recipe(tmp_path, tmp_path / "base", [member], data=data)
    assert aiac(["train", str(write_recipe(tmp_path, recipe)), "--dry-run"]) == 2
    assert "target_modules: found wheel; expected some of " in capsys.readouterr().err


def test_a_dry_run_refuses_a_source_for_evaluation_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tiny_checkpoint(tmp_path / "base")
    data = {"output": str(tmp_path / "data"), "sources": [{"name": "bbh_mc.test.jsonl.gz", "rows": 30}]}
    recipe = toy_recipe(tmp_path, tmp_path / "base", [toy_member()], data=data)
    assert aiac(["train", str(write_recipe(tmp_path, recipe)), "--dry-run"]) == 2
    assert "data.sources: found bbh_mc (licence: MIT), whose terms are evaluation only" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("recipe", "rank", "magnitudes", "rows"),
    [
        ("model1-lora", 64, 0, "45,000"),
        ("model2-rslora", 128, 0, "135,000"),
        ("model3-dora", 64, 1, "45,000"),
        ("model4-oplora", 64, 0, "135,000"),
    ],
)
def test_a_dry_run_says_what_a_full_scale_run_needs(
    capsys: pytest.CaptureFixture[str], recipe: str, rank: int, magnitudes: int, rows: str
) -> None:
    root = Path(__file__).resolve().parents[2]
    assert aiac(["train", str(root / "recipes" / f"{recipe}.yaml"), "--dry-run"]) == 0
    shown = capsys.readouterr().out
    # rank · (inputs + outputs) of the seven linear layers, 80 times; DoRA has a magnitude for every output.
    hidden, kv, wide = 8192, 1024, 29568
    factors = 2 * (hidden + hidden) + 2 * (hidden + kv) + 3 * (hidden + wide)
    outputs = 2 * hidden + 2 * kv + 2 * wide + hidden
    assert f"{(rank * factors + magnitudes * outputs) * 80:,}" in shown
    assert "72.71 billion parameters" in shown
    assert f"{rows} rows" in shown
    assert f"no checkpoint folder at {Path.cwd() / 'Qwen2.5-72B-Instruct'}. Put it there, or name its folder" in shown
    # 72.706 billion parameters: base and member in 2 bytes each, the probes in 4; a merge holds four copies in 4.
    assert "290.8 GB of one GPU's memory in bfloat16, or 581.6 GB of main memory in float32" in shown
    assert f"The release needs {'1,163.3' if recipe == 'model3-dora' else '290.8'} GB of main memory" in shown


def test_a_dry_run_on_a_model_that_is_here_does_not_send_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tiny_checkpoint(tmp_path / "base")
    write_questions(tmp_path / "toy.jsonl", toy_rows(30))
    data = {"output": str(tmp_path / "data"), "sources": [{"name": str(tmp_path / "toy.jsonl")}], "rows": 30}
    recipe = toy_recipe(tmp_path, tmp_path / "base", [toy_member()], data=data)
    assert aiac(["train", str(write_recipe(tmp_path, recipe)), "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "The release needs" in shown
    assert "checkpoint folder" not in shown


@pytest.mark.parametrize(("gpu", "dtype"), [(True, "bfloat16"), (False, "float32")])
def test_a_gpu_weighs_members_in_bfloat16_and_a_cpu_in_float32(tmp_path: Path, gpu: bool, dtype: str) -> None:
    engine = release_opener(gpu=gpu)(write_tiny_checkpoint(tmp_path / "base"), {})
    try:
        assert engine.dtype == dtype
    finally:
        asyncio.run(engine.close())


def test_the_manifest_says_in_what_precision_members_were_weighed(trained: Path) -> None:
    expected = "bfloat16" if torch.cuda.is_available() else "float32"
    assert read_manifest(trained / "ensemble").provenance["dtype"] == expected


def test_a_member_that_is_not_in_the_recipe_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_recipe(tmp_path, toy_recipe(tmp_path, "m", [toy_member()]))
    assert aiac(["train", str(recipe), "--member", "dora"]) == 2
    assert "--member: found dora; expected some of lora" in capsys.readouterr().err
