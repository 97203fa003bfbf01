"""A tokenizer, a chat template or an adapter's settings that changed since the export: golden probes do not notice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_checkpoint import TEMPLATE, write_tiny_adapter, write_tiny_checkpoint
from typer.testing import CliRunner

from agents.core.errors import DamagedModelError
from agents.core.manifest import Base, Manifest, Member
from agents.engines.tokenizer import ChatTokenizer
from agents.engines.tokenizer_identity import template_sha256, tokenizer_hashes, tokenizer_sha256
from agents.ensemble.engine_kinds import placement
from agents.ensemble.loading import check_ensemble, load_ensemble
from agents.ensemble.manifest_file import read_manifest, write_manifest
from agents.ensemble.weights import adapter_config_sha256
from agents.models.checkpoint import checkpoint_sha256
from agents.models.download import sha256_of
from agents.models.store import ModelStore
from aiac.commands.check import app, unrecorded

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ensemble(tmp_path: Path) -> Path:
    """An ensemble of a tiny base and an adapter, with every hash recorded."""
    base, folder = write_tiny_checkpoint(tmp_path / "base"), tmp_path / "ensemble"
    adapter = write_tiny_adapter(folder / "members" / "lora", base)
    members = [
        Member(name="plain", method="cloze", weight=1.0),
        Member(
            name="lora",
            kind="adapter",
            path="members/lora",
            sha256=sha256_of(adapter / "adapter_model.safetensors"),
            config_sha256=adapter_config_sha256(adapter),
            method="cloze",
            weight=1.0,
        ),
    ]
    hashes = tokenizer_hashes(ChatTokenizer(base))
    assert hashes.keys() == {"tokenizer_sha256", "template_sha256"}
    base_record = Base.model_validate({"model": str(base), "sha256": checkpoint_sha256(base), **hashes})
    write_manifest(Manifest(name="tiny", base=base_record, members=members), folder)
    return folder


def change_tokenizer(base: Path, change: Callable[[dict[str, Any]], None], **layout: Any) -> None:
    file = base / "tokenizer.json"
    contents = json.loads(file.read_text("utf-8"))
    change(contents)
    file.write_text(json.dumps(contents, **layout), "utf-8")


def swap_two_ids(contents: dict[str, Any]) -> None:
    vocabulary = contents["model"]["vocab"]
    vocabulary["x"], vocabulary["y"] = vocabulary["y"], vocabulary["x"]


def add_a_merge(contents: dict[str, Any]) -> None:
    contents["model"]["vocab"]["qz"] = len(contents["model"]["vocab"])
    contents["model"]["merges"].append(["q", "z"])


def rename_a_control_token(contents: dict[str, Any]) -> None:
    contents["added_tokens"][-1]["content"] = "<tool2>"


def lower_everything(contents: dict[str, Any]) -> None:
    contents["normalizer"] = {"type": "Lowercase"}


def prefix_a_space(contents: dict[str, Any]) -> None:
    contents["pre_tokenizer"]["add_prefix_space"] = True


def nothing(contents: dict[str, Any]) -> None:
    """Only the layout of the file changes."""


def merges_as_text(contents: dict[str, Any]) -> None:
    contents["model"]["merges"] = [" ".join(merge) for merge in contents["model"]["merges"]]


def check(ensemble: Path) -> None:
    statuses = asyncio.run(check_ensemble(ensemble, Path, placement("transformers", dtype="float32")))
    assert all(status.ready for status in statuses), statuses


def test_what_did_not_change_passes_however_its_files_are_laid_out(ensemble: Path, tmp_path: Path) -> None:
    change_tokenizer(tmp_path / "base", merges_as_text, indent=7, sort_keys=True)
    file = ensemble / "members" / "lora" / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()), indent=5))
    (tmp_path / "base" / "chat_template.jinja").write_text(TEMPLATE + "\n")
    check(ensemble)
    assert unrecorded(read_manifest(ensemble)) == []


CHANGES = [swap_two_ids, add_a_merge, rename_a_control_token, lower_everything, prefix_a_space]


@pytest.mark.parametrize("change", CHANGES)
def test_another_tokenizer_has_another_hash(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    base = write_tiny_checkpoint(tmp_path / "base")
    before = tokenizer_sha256(ChatTokenizer(base))
    change_tokenizer(base, nothing, indent=3)
    assert tokenizer_sha256(ChatTokenizer(base)) == before
    change_tokenizer(base, change)
    assert tokenizer_sha256(ChatTokenizer(base)) != before


def test_another_tokenizer_is_refused_by_check_and_at_start_up(ensemble: Path, tmp_path: Path) -> None:
    change_tokenizer(tmp_path / "base", lower_everything)
    for opened in (check_ensemble, load_ensemble):
        with pytest.raises(DamagedModelError, match=r"base: tokenizer: found SHA-256 \w{64}; expected \w{64}, as the"):
            asyncio.run(opened(ensemble, Path, placement("transformers", dtype="float32")))


def test_another_template_is_refused_by_check(ensemble: Path, tmp_path: Path) -> None:
    (tmp_path / "base" / "chat_template.jinja").write_text(TEMPLATE.replace("assistant", "Assistant"))
    found = CliRunner().invoke(app, ["--ensemble", str(ensemble), "--dtype", "float32"])
    assert isinstance(found.exception, DamagedModelError)
    assert "base: template: found SHA-256" in str(found.exception)


def test_a_template_is_known_with_the_control_tokens_it_names(tmp_path: Path) -> None:
    base = write_tiny_checkpoint(tmp_path / "base")
    (base / "chat_template.jinja").write_text("{{ eos_token }}" + TEMPLATE)
    before = template_sha256(ChatTokenizer(base))
    file = base / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "eos_token": "<|start|>"}))
    assert template_sha256(ChatTokenizer(base)) != before


def test_other_settings_of_an_adapter_are_refused(ensemble: Path) -> None:
    file = ensemble / "members" / "lora" / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "lora_alpha": 9}))
    with pytest.raises(DamagedModelError, match=r"adapter_config\.json: found SHA-256"):
        check(ensemble)


def test_a_manifest_of_before_is_read_and_check_says_what_it_does_not_cover(ensemble: Path, tmp_path: Path) -> None:
    file = ensemble / "ensemble.json"
    payload = json.loads(file.read_text())
    for record in (payload["base"], *payload["members"]):
        for field in ("tokenizer_sha256", "template_sha256", "config_sha256"):
            record.pop(field, None)
    file.write_text(json.dumps(payload))
    (tmp_path / "base" / "chat_template.jinja").write_text(TEMPLATE.replace("assistant", "Assistant"))
    found = CliRunner().invoke(app, ["--ensemble", str(ensemble), "--dtype", "float32"])
    assert found.exit_code == 0, found.output
    said = "not checked, since the manifest has no hash of them: the tokenizer, the chat template, the settings of lora"
    assert said in found.output


@pytest.mark.parametrize("name", ["default", "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b", "starter"])
def test_every_ensemble_here_records_all_of_it(name: str) -> None:
    folder = ROOT / "ensembles" / name
    manifest = read_manifest(folder)
    assert unrecorded(manifest) == []
    for member in manifest.members:
        if member.kind == "adapter":
            assert member.config_sha256 == adapter_config_sha256(folder / str(member.path))


@pytest.mark.model
def test_the_default_model_as_it_is_pulled_is_the_one_recorded() -> None:
    checkpoint = ModelStore().pull("SmolLM2-135M-Instruct")
    base = read_manifest(ROOT / "ensembles" / "starter").base
    recorded = {"tokenizer_sha256": base.tokenizer_sha256, "template_sha256": base.template_sha256}
    assert tokenizer_hashes(ChatTokenizer(checkpoint)) == recorded
