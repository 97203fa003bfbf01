"""A member that is exported as a checkpoint: a complete folder that predicts what its base and adapter did."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_checkpoint import write_tiny_adapter, write_tiny_checkpoint
from training_toys import toy_member, toy_recipe

from agents.core.errors import DiskSpaceError, InputError
from agents.core.manifest import ContinuationProbe, Manifest
from agents.core.prompts import PromptRenderer
from agents.core.schema import Question
from agents.engines.tokenizer import ChatTokenizer
from agents.ensemble.engine_kinds import transformers_openers
from agents.ensemble.manifest_file import read_manifest
from agents.models.checkpoint import checkpoint_sha256
from training.recipe import CandidateRecipe, FitRecipe
from training.release.export import ExportPlan, export_ensemble
from training.release.placed_weights import checkpoint_dtype
from training.run.member_run import MemberRun
from training.support.plain_model import plain_logprobs, plain_model
from training.train import release_plan

WORDS = ("pink", "teal", "blue", "gold", "lime", "rust", "grey", "plum")
KINDS: dict[str, dict[str, Any]] = {"lora": {}, "dora": {"use_dora": True}}


def favourite(model: Any, renderer: PromptRenderer, question: Question) -> int:
    """The choice of the highest log-likelihood."""
    prompt = renderer.cloze(question)
    start = len(prompt.token_ids) - 1
    scores = []
    for tokens in prompt.continuations:
        table = plain_logprobs(model, [*prompt.token_ids, *tokens])
        scores.append(sum(float(table[start + at, token]) for at, token in enumerate(tokens)))
    return scores.index(max(scores))


def write_rows_it_knows(path: Path, base: Path, adapter: Path) -> None:
    """Rows whose key the adapter prefers and the bare base does not, so that a paired test lets the adapter in."""
    renderer, draw = PromptRenderer(ChatTokenizer(base)), random.Random(1)
    bare, adapted = plain_model(base), plain_model(base, adapter)
    lines: list[str] = []
    while len(lines) < 24:
        question = Question(f"Which of them, {len(lines)}?", tuple(draw.sample(WORDS, 4)))
        key = favourite(adapted, renderer, question)
        if key != favourite(bare, renderer, question):
            row = {"question": question.text, "choices": list(question.choices), "answer_index": key}
            lines.append(json.dumps(row) + "\n")
    path.write_text("".join(lines))


@pytest.fixture(scope="module", params=list(KINDS))
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base, an adapter on it, and rows that the adapter knows.

    Of seeds 1 to 4 the second loses most when it is rounded: 3% (LoRA) and 4% (DoRA) of predictions change.
    """
    folder = tmp_path_factory.mktemp("checkpoint")
    base = write_tiny_checkpoint(folder / "base")
    adapter = write_tiny_adapter(folder / "adapter", base, seed=2, **KINDS[request.param])
    write_rows_it_knows(folder / "fit.jsonl", base, adapter)
    return folder


def export(files: Path, output: Path, **changes: Any) -> Manifest:
    fields: dict[str, Any] = {
        "name": "tiny",
        "model": str(files / "base"),
        "output": output,
        "members": [CandidateRecipe(name="base", method="cloze"), CandidateRecipe(name="trained", method="cloze")],
        "fit": FitRecipe(data=[str(files / "fit.jsonl")], rows_per_file=24),
        "probes": 2,
        "adapters": {"trained": files / "adapter"},
        "merged": frozenset({"trained"}),
    }
    [open_engine] = transformers_openers(dtype="float32")
    done = asyncio.run(export_ensemble(ExportPlan(**(fields | changes)), Path, open_engine, lambda *step: None))
    return done.manifest


@pytest.fixture(scope="module")
def exported(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("exported") / "out"
    export(files, output)
    return output


def test_it_predicts_what_base_and_adapter_do(files: Path, exported: Path) -> None:
    tokens = list(range(3, 80))
    merged = plain_logprobs(plain_model(exported / "members" / "trained"), tokens)
    unmerged = plain_logprobs(plain_model(files / "base", files / "adapter"), tokens)
    bare = plain_logprobs(plain_model(files / "base"), tokens)
    assert float((merged - unmerged).abs().max()) < 1e-4
    assert float((merged - bare).abs().max()) > 0.1


def test_its_folder_is_a_checkpoint_with_its_tokenizer(files: Path, exported: Path) -> None:
    folder = exported / "members" / "trained"
    text = "Which colour? <|end|>"
    assert ChatTokenizer(folder).encode_markup(text) == ChatTokenizer(files / "base").encode_markup(text)
    assert json.loads((folder / "config.json").read_text())["architectures"] == ["LlamaForCausalLM"]
    assert not list(folder.glob("adapter*"))
    assert all(file.stat().st_mode & 0o044 == 0o044 for file in folder.iterdir())
    assert [path.name for path in folder.parent.iterdir()] == ["trained"]


def test_the_manifest_names_it_with_the_hash_of_its_weights(exported: Path) -> None:
    member = next(m for m in read_manifest(exported).members if m.name == "trained")
    assert (member.kind, member.path) == ("checkpoint", "members/trained")
    assert member.sha256 == checkpoint_sha256(exported / "members" / "trained")


def test_it_reproduces_its_golden_probes(exported: Path) -> None:
    member = next(m for m in read_manifest(exported).members if m.name == "trained")
    model = plain_model(exported / str(member.path))
    assert len(member.probes) == 2
    for probe in member.probes:
        assert isinstance(probe, ContinuationProbe)
        for tokens, recorded in zip(probe.continuations, probe.logprobs, strict=True):
            table = plain_logprobs(model, [*probe.prompt, *tokens])
            start = len(probe.prompt) - 1
            found = [float(table[start + at, token]) for at, token in enumerate(tokens)]
            assert found == pytest.approx(recorded, abs=1e-5)


def test_exporting_again_replaces_it(files: Path, tmp_path: Path) -> None:
    export(files, tmp_path, merged=frozenset())
    assert (tmp_path / "members" / "trained" / "adapter_config.json").is_file()
    manifest = export(files, tmp_path)
    assert not (tmp_path / "members" / "trained" / "adapter_config.json").exists()
    assert {member.kind for member in manifest.members if member.name == "trained"} == {"checkpoint"}


def test_a_disk_without_room_for_it_is_told_before_anything_is_written(files: Path, tmp_path: Path) -> None:
    with pytest.raises(DiskSpaceError, match="in reserve"):
        export(files, tmp_path / "out", reserve_bytes=10**18)
    assert not (tmp_path / "out").exists()


def test_rounding_that_changes_predictions_is_refused_and_leaves_nothing(files: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        export(files, tmp_path / "out", checkpoint_dtype="bfloat16")
    assert str(caught.value).startswith(
        "members.trained.export: found a checkpoint in bfloat16 that agrees with base and adapter on 9"
    )
    assert "expected at least 98%; with release.checkpoint_dtype: float32 it is exact" in str(caught.value)
    assert list((tmp_path / "out" / "members").iterdir()) == []


@pytest.mark.parametrize(
    ("base", "written"), [("float32", "float32"), ("bfloat16", "bfloat16"), ("float16", "float32")]
)
def test_a_checkpoint_is_written_in_the_precision_of_its_base(tmp_path: Path, base: str, written: str) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(write_tiny_checkpoint(tmp_path / "base"), dtype=getattr(torch, base))
    shutil.rmtree(tmp_path / "base")
    model.save_pretrained(tmp_path / "base")
    assert checkpoint_dtype(tmp_path / "base") == written


def test_a_release_merges_the_members_whose_recipe_says_so(tmp_path: Path) -> None:
    members = [toy_member(), toy_member("dora", export="checkpoint"), toy_member("rslora", export="checkpoint")]
    guards = {"disk_reserve_gb": 2}
    recipe = toy_recipe(tmp_path, "m", members, guards=guards)
    runs = [
        MemberRun(member, None if member.name == "rslora" else tmp_path / member.name, 8, 1, 0, 1, 1, 1.0, [])
        for member in recipe.members
    ]
    plan = release_plan(recipe, runs)
    assert (set(plan.adapters), plan.merged) == ({"lora", "dora"}, {"dora"})
    assert (plan.reserve_bytes, plan.checkpoint_dtype) == (2_000_000_000, None)
