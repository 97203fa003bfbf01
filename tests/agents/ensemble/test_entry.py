"""The settings of the organisers' files: a bundle's own inside it, the environment's elsewhere, defaults last."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents.core.edition import load_edition
from agents.core.errors import FileError, InputError
from agents.ensemble.base_model import find_here
from agents.ensemble.entry import EntrySettings, read_entry_settings
from agents.ensemble.question_source import requested_model
from agents.support.bundle import FILE_NAME, read_bundle

RECORD = {
    "schema_version": 1,
    "edition": "feb2026_iitd",
    "ensemble": "mine",
    "engine": "vllm",
    "cpu_dtype": None,
    "base": {"model": "SmolLM2-135M-Instruct", "sha256": "0" * 64, "path": None, "pull": "python -m agents.models X"},
    "files": {},
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EDITION", "ENSEMBLE", "ENGINE", "QUESTION_MODEL"):
        monkeypatch.delenv(f"AIAC_{name}", raising=False)


def test_a_checkout_takes_what_is_given_then_the_environment_then_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_entry_settings() == EntrySettings("oct2025_aiac", "starter", "transformers", None, None)
    monkeypatch.setenv("AIAC_EDITION", "feb2026_iitd")
    monkeypatch.setenv("AIAC_ENGINE", "")
    monkeypatch.setenv("AIAC_QUESTION_MODEL", "1")
    assert read_entry_settings() == EntrySettings("feb2026_iitd", "starter", "transformers", "1", None)
    assert read_entry_settings("jul2025_iisc").edition == "jul2025_iisc"
    assert read_entry_settings().cache is None


def test_a_bundle_takes_its_own_whatever_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / FILE_NAME).write_text(json.dumps(RECORD))
    monkeypatch.setenv("AIAC_EDITION", "jul2025_iisc")
    monkeypatch.setenv("AIAC_QUESTION_MODEL", "1")
    found = read_entry_settings(folder=tmp_path)
    assert found == EntrySettings("feb2026_iitd", "mine", "vllm", None, read_bundle(tmp_path))
    assert found.cache == tmp_path / "outputs" / "cache"
    assert read_entry_settings(ensemble="other", folder=tmp_path).ensemble == "other"


def test_a_bundle_without_its_model_names_the_command_that_pulls_it(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(json.dumps(RECORD))
    bundle = read_bundle(tmp_path)
    assert bundle is not None
    with pytest.raises(FileError, match=r"run `python -m agents\.models X` in"):
        find_here("SmolLM2-135M-Instruct", bundle)


def test_a_question_model_is_asked_for_in_words_of_yes_or_no(monkeypatch: pytest.MonkeyPatch) -> None:
    edition = load_edition("oct2025_aiac")
    assert requested_model(read_entry_settings(), edition) is None
    monkeypatch.setenv("AIAC_QUESTION_MODEL", "no")
    assert requested_model(read_entry_settings(), edition) is None
    monkeypatch.setenv("AIAC_QUESTION_MODEL", "yes")
    assert requested_model(read_entry_settings(), edition) is not None
    monkeypatch.setenv("AIAC_QUESTION_MODEL", "perhaps")
    with pytest.raises(InputError, match="AIAC_QUESTION_MODEL: found 'perhaps'; expected true or false"):
        requested_model(read_entry_settings(), edition)
