"""What the code inside a bundle reads of bundle.json, and where it points the caches of libraries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents.core.errors import FileError, ManifestError, MissingExtraError
from agents.support.bundle import FILE_NAME, Bundle, read_bundle
from agents.support.missing_package import missing_package, packages_named

RECORD = {
    "schema_version": 1,
    "edition": "feb2026_iitd",
    "ensemble": "starter",
    "engine": "vllm",
    "cpu_dtype": None,
    "base": {"model": "Tiny", "sha256": "0" * 64, "path": "models/Tiny", "pull": None},
    "files": {},
}


def test_a_bundle_says_what_its_agents_need(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(json.dumps(RECORD))
    assert read_bundle(tmp_path) == Bundle(
        tmp_path, "feb2026_iitd", "starter", "vllm", cpu_dtype=None, model="Tiny", model_path="models/Tiny", pull=None
    )


def test_a_folder_without_the_record_is_no_bundle(tmp_path: Path) -> None:
    assert read_bundle(tmp_path) is None
    assert read_bundle(tmp_path / "missing") is None


@pytest.mark.parametrize(
    "contents", ["", "5", "[]", "{}", json.dumps({**RECORD, "schema_version": 2}), json.dumps({**RECORD, "base": 5})]
)
def test_a_record_that_cannot_be_read_is_named(tmp_path: Path, contents: str) -> None:
    (tmp_path / FILE_NAME).write_text(contents)
    with pytest.raises(ManifestError, match=r"bundle\.json: found something else; expected what `aiac bundle` wrote"):
        read_bundle(tmp_path)


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(FileError, match="is a directory"):
        read_bundle(tmp_path)


def test_caches_go_below_outputs_and_what_is_set_stays(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(json.dumps(RECORD))
    bundle = read_bundle(tmp_path)
    assert bundle is not None
    environment = {"TRITON_CACHE_DIR": "/elsewhere"}
    bundle.keep_inside(environment)
    assert environment.pop("TRITON_CACHE_DIR") == "/elsewhere"
    assert environment.pop("HF_HUB_OFFLINE") == "1"
    assert {"XDG_CACHE_HOME", "HF_HOME"} <= set(environment)
    assert all(Path(place).is_relative_to(tmp_path / "outputs") for place in environment.values())


def test_a_package_that_is_not_installed_is_an_error_with_its_name() -> None:
    with pytest.raises(MissingExtraError) as caught, packages_named():
        import a_package_that_nobody_wrote  # type: ignore[import-not-found]  # noqa: F401
    assert str(caught.value) == (
        "a_package_that_nobody_wrote is not installed; run in the project's folder: pip install -e '.[cpu]'"
    )
    with pytest.raises(MissingExtraError, match=r"agents\.nothing is not installed"), packages_named():
        import agents.nothing  # type: ignore[import-not-found]  # noqa: F401
    assert "'.[arena]'" in str(missing_package("jinja2", "arena"))
