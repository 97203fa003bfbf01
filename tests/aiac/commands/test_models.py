"""`aiac models`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_model import SPEC, FakeSource, MakeStore
from typer.testing import CliRunner

from agents.core.errors import UnknownModelError
from agents.models.catalogue import load_catalogue
from agents.models.checkpoint import write_record
from aiac.commands.models import app, pull_with_progress

DEFAULT = "SmolLM2-135M-Instruct"


@pytest.fixture
def ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache in which the default model seems to be pulled."""
    folder = tmp_path / "models" / DEFAULT
    folder.mkdir(parents=True)
    write_record(folder, load_catalogue()[DEFAULT], {})
    monkeypatch.setenv("AIAC_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "300")
    return folder


def test_the_list_says_what_is_cached_and_where(ready: Path) -> None:
    lines = CliRunner().invoke(app, ["list"]).stdout.splitlines()
    rows = {name: next(line for line in lines if name in line) for name in load_catalogue()}
    assert f"yes: {ready}" in rows[DEFAULT]
    assert all("Apache-2.0" in row for row in rows.values())
    assert sum("│ no" in row for row in rows.values()) == len(rows) - 1


def test_the_list_as_json(ready: Path) -> None:
    rows = json.loads(CliRunner().invoke(app, ["list", "--json"]).stdout)
    assert [row["name"] for row in rows] == list(load_catalogue())
    assert (rows[0]["cached"], rows[0]["path"], rows[0]["gguf_bytes"]) == (True, str(ready), 98_362_432)
    assert not rows[1]["cached"]


def test_pulling_what_is_there_prints_its_folder_and_no_bar(ready: Path) -> None:
    result = CliRunner().invoke(app, ["pull", DEFAULT])
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{ready}\n", "")


def test_an_unknown_name_is_left_to_the_top_of_the_command(ready: Path) -> None:
    assert isinstance(CliRunner().invoke(app, ["pull", "nothing"]).exception, UnknownModelError)


def test_a_bar_a_stage_on_stderr(make_store: MakeStore, capsys: pytest.CaptureFixture[str]) -> None:
    store = make_store(FakeSource())
    assert pull_with_progress(SPEC.name, store) == store.path(SPEC.name)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert all(word in captured.err for word in ("downloading", "verifying", "converting"))
