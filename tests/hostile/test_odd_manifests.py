"""A manifest of another shape is one sentence of bounded length, whatever is in it."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from agents.core.errors import InputError
from agents.core.manifest import Base, Manifest, Member
from agents.ensemble.manifest_file import read_manifest
from benchmarks.hostile_inputs import changed

MEMBER = Member(name="plain", method="cloze", weight=1.0)
MANIFEST = Manifest(name="tiny", base=Base(model="base", sha256="0" * 64), members=[MEMBER]).model_dump()


def read(tmp_path: Path, payload: Any) -> None:
    (tmp_path / "ensemble.json").write_text(json.dumps(payload))
    try:
        read_manifest(tmp_path)
    except InputError as error:
        assert len(str(error).splitlines()) == 1
        assert len(str(error)) < 1500, str(error)[:500]


def test_three_hundred_changed_manifests(tmp_path: Path) -> None:
    rng = random.Random(15)
    for _ in range(300):
        read(tmp_path, changed(MANIFEST, rng))


@pytest.mark.parametrize(
    "change",
    [
        {"x" * 100_000: 1},
        {"members": MANIFEST["members"] * 20_000},
        {"members": [{**MANIFEST["members"][0], "name": "n" * 1_000_000}]},
        {"answer_prior": {str(n): [0.5] for n in range(50_000)}},
        {"provenance": {"a": [{}] * 100_000}},
        {"base": {"model": "m" * 1_000_000, "sha256": "x" * 1_000_000}},
    ],
    ids=["a long field", "many members", "a long name", "many priors", "much provenance", "long hashes"],
)
def test_a_huge_manifest_is_read_or_refused_quickly(tmp_path: Path, change: dict[str, Any]) -> None:
    started = time.process_time()
    read(tmp_path, {**MANIFEST, **change})
    assert time.process_time() - started < 5
