"""Fixtures that more than one benchmark's test needs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_checkpoint import write_tiny_adapter, write_tiny_checkpoint

from agents.core.manifest import Base, Manifest, Member
from agents.ensemble.manifest_file import write_manifest
from agents.models.checkpoint import verified_base_sha256
from agents.models.download import sha256_of


@pytest.fixture(scope="session")
def tiny_ensemble(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bare tiny model and an adapter on it, and a third member that is there to be measured."""
    folder = tmp_path_factory.mktemp("bench")
    checkpoint = write_tiny_checkpoint(folder / "model")
    adapter = write_tiny_adapter(folder / "ensemble" / "members" / "tuned", checkpoint)
    sha256 = sha256_of(adapter / "adapter_model.safetensors")
    tuned = {"kind": "adapter", "path": "members/tuned", "sha256": sha256, "temperature": 2.0}
    members = [
        Member(name="plain", method="cloze", weight=0.5),
        Member.model_validate({"name": "tuned", "method": "cloze", "weight": 0.5, **tuned}),
        Member(name="measured", method="cloze", weight=0.0),
    ]
    base = Base(model=str(checkpoint), sha256=verified_base_sha256(checkpoint))
    write_manifest(Manifest(name="tiny", base=base, members=members), folder / "ensemble")
    return folder / "ensemble"
