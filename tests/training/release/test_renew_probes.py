"""Probes are added to a released ensemble, and nothing else of it changes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tiny_checkpoint import write_tiny_adapter, write_tiny_checkpoint

from agents.core.errors import DamagedModelError
from agents.core.manifest import Base, Manifest, Member, asked_by
from agents.core.prompts import PromptRenderer
from agents.engines.tokenizer import ChatTokenizer
from agents.ensemble.manifest_file import read_manifest, write_manifest
from agents.ensemble.parity import MIN_PROBES
from agents.models.checkpoint import checkpoint_sha256
from agents.models.download import sha256_of
from training.release.golden_probes import record_probes
from training.release.probe_questions import PROBE_QUESTIONS
from training.release.renew_probes import renew_probes
from training.support.plain_model import plain_model


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A base, and an ensemble on it of an adapter with two probes and a base member of another method with none."""
    folder = tmp_path_factory.mktemp("released")
    base = write_tiny_checkpoint(folder / "base")
    adapter = write_tiny_adapter(folder / "ensemble" / "members" / "tuned", base)
    renderer = PromptRenderer(ChatTokenizer(base))
    probes = record_probes(plain_model(base, adapter), renderer, "letter", PROBE_QUESTIONS[3:5])
    sha256 = sha256_of(adapter / "adapter_model.safetensors")
    members = [
        Member(name="plain", method="cloze", weight=0.25),
        Member(
            name="tuned",
            kind="adapter",
            path="members/tuned",
            sha256=sha256,
            method="letter",
            weight=0.75,
            probes=probes,
        ),
    ]
    manifest = Manifest(name="tiny", base=Base(model="tiny", sha256=checkpoint_sha256(base)), members=members)
    write_manifest(manifest, folder / "ensemble")
    return base, folder / "ensemble"


def test_only_probes_are_added(released: tuple[Path, Path], tmp_path: Path) -> None:
    base, folder = released[0], shutil.copytree(released[1], tmp_path / "ensemble")
    before = read_manifest(folder)
    renewed = renew_probes(folder, lambda name: base)
    assert read_manifest(folder) == renewed
    plain, tuned = renewed.members
    assert [len(plain.probes), len(tuned.probes)] == [MIN_PROBES] * 2
    assert tuned.probes[:2] == before.members[1].probes
    assert len(set(map(asked_by, tuned.probes))) == MIN_PROBES
    assert [asked_by(probe) for probe in renewed.base.probes] == [asked_by(probe) for probe in tuned.probes]
    without = {"base": {"probes"}, "members": {"__all__": {"probes"}}}
    assert renewed.model_dump(exclude=without) == before.model_dump(exclude=without)


def test_the_base_is_recorded_by_its_own_numbers(released: tuple[Path, Path], tmp_path: Path) -> None:
    base, folder = released[0], shutil.copytree(released[1], tmp_path / "ensemble")
    renewed = renew_probes(folder, lambda name: base)
    renderer = PromptRenderer(ChatTokenizer(base))
    expected = record_probes(plain_model(base), renderer, "letter", PROBE_QUESTIONS)
    assert sorted(renewed.base.probes, key=asked_by) == sorted(expected, key=asked_by)


def test_a_member_off_its_own_probes_leaves_the_ensemble_as_it_is(released: tuple[Path, Path], tmp_path: Path) -> None:
    base, folder = released[0], shutil.copytree(released[1], tmp_path / "ensemble")
    manifest = read_manifest(folder)
    plain, tuned = manifest.members
    off = tuned.probes[0].model_copy(update={"logprobs": [value - 0.1 for value in tuned.probes[0].logprobs]})
    members = [plain, tuned.model_copy(update={"probes": [off, tuned.probes[1]]})]
    file = write_manifest(manifest.model_copy(update={"members": members}), folder)
    text = file.read_text()
    with pytest.raises(DamagedModelError, match=r"tuned: found numbers that differ by 0\.1"):
        renew_probes(folder, lambda name: base)
    assert file.read_text() == text
