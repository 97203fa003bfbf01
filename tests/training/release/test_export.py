"""From a recipe to an ensemble that loads: on a tiny model, end to end through real files."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_checkpoint import write_tiny_checkpoint

from agents.core.deadline import Deadline
from agents.core.errors import DamagedModelError, FileError, InputError, NotReadyError
from agents.core.manifest import FILE_NAME
from agents.core.schema import Question
from agents.engines.tokenizer import ChatTokenizer
from agents.engines.tokenizer_identity import tokenizer_hashes
from agents.ensemble.engine_kinds import placement, transformers_openers
from agents.ensemble.loading import load_ensemble
from agents.ensemble.manifest_file import read_manifest
from tournament.teams.names import read_teams
from training.recipe import ExportRecipe, TrainRecipe, read_yaml
from training.release.export import ExportPlan, export_ensemble

MEMBERS = [
    {"name": "cloze", "method": "cloze"},
    {"name": "pmi", "method": "cloze_pmi"},
    {"name": "letter", "method": "letter", "orders": 2},
]


def recipe_fields(folder: Path, **changes: Any) -> dict[str, Any]:
    rows = [
        {"question": f"What is {i} and {i}?", "choices": [f"{2 * i}", f"{i} x", "none", "all"], "answer_index": i % 4}
        for i in range(12)
    ]
    (folder / "sums.train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    fit = {"data": [str(folder / "sums.train.jsonl")], "rows_per_file": 8, "seed": 3, "prior_rows": 2}
    fields = {"name": "tiny", "model": str(folder / "model"), "output": str(folder / "out"), "members": MEMBERS}
    return {**fields, "fit": fit, "probes": 2, **changes}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    write_tiny_checkpoint(folder / "model")
    export(folder, recipe_fields(folder))
    return folder


def export(folder: Path, fields: dict[str, Any]) -> None:
    recipe = ExportRecipe.model_validate(fields)
    asyncio.run(
        export_ensemble(ExportPlan.of(recipe), Path, transformers_openers(dtype="float32")[0], lambda *step: None)
    )


def load(folder: Path) -> Any:
    return load_ensemble(folder / "out", Path, placement("transformers", dtype="float32"))


def test_what_is_exported_loads_reproduces_its_probes_and_answers(exported: Path) -> None:
    async def run() -> Any:
        loaded = await load(exported)
        try:
            return loaded.statuses, await loaded.answerer.answer(Question("Q?", ("a", "b", "c")), Deadline.never())
        finally:
            await loaded.close()

    statuses, verdict = asyncio.run(run())
    assert all(status.ready and status.difference_nats < 1e-3 for status in statuses)
    assert sum(verdict.probabilities) == pytest.approx(1)
    assert not verdict.degraded


def test_the_manifest_says_where_its_numbers_come_from(exported: Path) -> None:
    manifest = read_manifest(exported / "out")
    hashes = {"tokenizer_sha256": manifest.base.tokenizer_sha256, "template_sha256": manifest.base.template_sha256}
    assert hashes == tokenizer_hashes(ChatTokenizer(Path(manifest.base.model)))
    assert sum(member.weight for member in manifest.members) == pytest.approx(1, abs=1e-3)
    assert all(len(member.probes) == 2 and member.accuracy.rows == 4 for member in manifest.members if member.accuracy)
    provenance = manifest.provenance
    assert provenance["recipe"]["fit"]["seed"] == 3
    assert provenance["data"]["sums.train.jsonl"]["rows"] == 8
    assert provenance["versions"]["torch"]
    likelihoods = [pool["nll_nats"] for pool in provenance["pools"]]
    assert likelihoods == sorted(likelihoods)
    assert provenance["pools"][0]["weights"] == {
        name: {m.name: m.weight for m in manifest.members}.get(name, 0) for name in ("cloze", "pmi", "letter")
    }


def test_the_same_recipe_gives_the_same_weights(exported: Path) -> None:
    before = read_manifest(exported / "out")
    export(exported, recipe_fields(exported))
    after = read_manifest(exported / "out")
    assert after.pooling == before.pooling
    for one, other in zip(before.members, after.members, strict=True):
        assert (one.name, one.weight) == (other.name, pytest.approx(other.weight, abs=1e-3))


def test_other_weights_under_the_same_name_are_refused(exported: Path, tmp_path: Path) -> None:
    other = tmp_path / "model"
    write_tiny_checkpoint(other, seed=9)
    with pytest.raises(DamagedModelError, match="as the manifest records"):
        asyncio.run(load_ensemble(exported / "out", lambda name: other, placement("transformers", dtype="float32")))


def test_numbers_of_other_weights_are_noticed_by_the_probes(exported: Path, tmp_path: Path) -> None:
    payload = json.loads((exported / "out" / FILE_NAME).read_text())
    for member in payload["members"]:
        for probe in member["probes"]:
            rows = probe["logprobs"] if isinstance(probe["logprobs"][0], list) else [probe["logprobs"]]
            rows[0][0] -= 0.5
    (tmp_path / FILE_NAME).write_text(json.dumps(payload))
    with pytest.raises(NotReadyError, match="differs from its golden probes by 0"):
        asyncio.run(load_ensemble(tmp_path, Path, placement("transformers", dtype="float32")))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"members": []}, "members"),
        ({"members": [{"name": "x", "method": "guess"}]}, r"members\.0\.method"),
        ({"probes": 0}, "probes"),
    ],
)
def test_a_recipe_with_a_wrong_field_names_it(tmp_path: Path, changes: dict[str, Any], field: str) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(recipe_fields(tmp_path, **changes)))
    with pytest.raises(InputError, match=f"{field}: found"):
        read_yaml(file, ExportRecipe)


def test_a_recipe_that_is_missing_or_no_yaml(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"recipe\.yaml"):
        read_yaml(tmp_path / "recipe.yaml", ExportRecipe)
    (tmp_path / "recipe.yaml").write_text("a: [")
    with pytest.raises(InputError, match="not YAML"):
        read_yaml(tmp_path / "recipe.yaml", ExportRecipe)


@pytest.mark.parametrize("file", sorted((Path(__file__).resolve().parents[3] / "recipes").glob("*.yaml")), ids=str)
def test_every_recipe_of_the_project_can_be_read(file: Path) -> None:
    if "teams:" in (text := file.read_text()):
        assert read_teams(file)
    else:
        assert read_yaml(file, TrainRecipe if "runs:" in text else ExportRecipe).members
