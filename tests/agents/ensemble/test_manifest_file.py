"""A manifest survives the disk whole, and what does not fit is refused by name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from agent_fakes import files_no_larger_than
from pydantic import ValidationError

from agents.core.errors import FileError, ManifestError
from agents.core.manifest import FILE_NAME, Manifest
from agents.core.prompts import RENDERING
from agents.ensemble.manifest_file import read_manifest, write_manifest

SHA = "a" * 64
NEXT = {"kind": "next_token", "prompt": [1, 2], "candidates": [3, 4], "logprobs": [-0.5, -1.0]}
CONTINUATION = {"kind": "continuation", "prompt": [1], "continuations": [[2, 3], [4]], "logprobs": [[-1, -2], [-3]]}


def member(**changes: Any) -> dict[str, Any]:
    return {"name": "letters", "method": "letter", "weight": 0.5, **changes}


def manifest(**changes: Any) -> dict[str, Any]:
    full = member(
        orders=2,
        temperature=1.5,
        prior={"4": [0.1, 0.2, 0.3, 0.4]},
        accuracy={"correct": 40, "rows": 100, "low": 0.31, "high": 0.5},
        probes=[NEXT, CONTINUATION],
    )
    adapter = member(name="tuned", kind="adapter", path="tuned", sha256=SHA, method="cloze_pmi")
    return {
        "schema_version": 1,
        "rendering": RENDERING,
        "name": "fake",
        "base": {"model": "tiny", "sha256": SHA},
        "pooling": "logarithmic",
        "members": [full, adapter],
        "answer_prior": {"2": [0.75, 0.25]},
        "provenance": {"data": ["rows", 3], "note": "é"},
        **changes,
    }


def written(folder: Path, payload: Any) -> Path:
    (folder / FILE_NAME).write_text(payload if isinstance(payload, str) else json.dumps(payload), encoding="utf-8")
    return folder


def test_a_manifest_survives_the_disk(tmp_path: Path) -> None:
    original = Manifest.model_validate(manifest())
    file = write_manifest(original, tmp_path / "new" / "folder")
    assert file == tmp_path / "new" / "folder" / FILE_NAME
    assert read_manifest(file) == original
    assert read_manifest(file.parent) == original
    assert [entry.name for entry in file.parent.iterdir()] == [FILE_NAME]


def test_a_manifest_in_short_has_the_defaults(tmp_path: Path) -> None:
    short = {"schema_version": 1, "name": "x", "base": {"model": "tiny", "sha256": SHA}, "members": [member()]}
    found = read_manifest(written(tmp_path, short))
    assert (found.pooling, found.rendering, found.provenance) == ("linear", RENDERING, {})
    assert (found.members[0].kind, found.members[0].orders, found.members[0].temperature) == ("base", None, 1.0)


def test_a_member_without_template_arguments_does_not_think() -> None:
    [silent] = Manifest.model_validate(manifest(members=[member()])).members
    assert silent.template_arguments == {"enable_thinking": False}
    chosen = Manifest.model_validate(manifest(members=[member(template_arguments={"enable_thinking": True, "n": 3})]))
    assert chosen.members[0].template_arguments == {"enable_thinking": True, "n": 3}


def test_template_arguments_are_recorded_beside_the_probes(tmp_path: Path) -> None:
    file = write_manifest(Manifest.model_validate(manifest()), tmp_path)
    recorded = json.loads(file.read_text())["members"][0]
    assert recorded["template_arguments"] == {"enable_thinking": False}
    assert recorded["probes"]


def test_the_answer_prior_is_uniform_where_none_is_recorded() -> None:
    found = Manifest.model_validate(manifest())
    assert found.answer_prior_for(2) == [0.75, 0.25]
    assert found.answer_prior_for(4) == [0.25] * 4


NO_PRIOR = "a prior for {n} choices must be {n} probabilities that sum to 1"


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"members": [member(), member()]}, "manifest", "member names repeat: letters"),
        ({"members": [member(weight=0)]}, "manifest", "no member has a positive weight"),
        ({"members": []}, "members", "at least 1 item"),
        ({"rendering": RENDERING + 1}, "manifest", f"rendering {RENDERING + 1}; this version renders {RENDERING}"),
        ({"answer_prior": {"4": [0.5, 0.5]}}, "manifest", NO_PRIOR.format(n=4)),
        ({"answer_prior": {"2": [0.5, 0.4]}}, "manifest", NO_PRIOR.format(n=2)),
        ({"answer_prior": {"1": [1.0]}}, "manifest", NO_PRIOR.format(n=1)),
        ({"answer_prior": {"2": [1.0, 0.0]}}, "answer_prior.2.1", "greater than 0"),
        ({"members": [member(prior={"3": [0.5, 0.5]})]}, "members.0", NO_PRIOR.format(n=3)),
        ({"members": [member(path="x", sha256=SHA)]}, "members.0", "kind base does not go with path 'x'"),
        ({"members": [member(kind="adapter")]}, "members.0", "kind adapter does not go with path None"),
        ({"members": [member(kind="adapter", path="x")]}, "members.0", "path 'x' and sha256 None"),
        ({"members": [member(weight=-1)]}, "members.0.weight", "greater than or equal to 0"),
        ({"members": [member(temperature=0)]}, "members.0.temperature", "greater than 0"),
        ({"members": [member(orders=0)]}, "members.0.orders", "greater than or equal to 1"),
        ({"members": [member(orders=11)]}, "members.0.orders", "less than or equal to 10"),
        ({"members": [member(name="../up")]}, "members.0.name", "match pattern"),
        ({"members": [member(method="guess")]}, "members.0.method", "'letter', 'cloze', 'cloze_per_byte' or"),
        ({"members": [member(extra=1)]}, "members.0.extra", "extra inputs are not permitted"),
        (
            {"members": [member(probes=[{**NEXT, "logprobs": [-1.0]}])]},
            "members.0.probes.0.next_token",
            "1 logprobs for 2 candidates",
        ),
        (
            {"members": [member(probes=[{**NEXT, "logprobs": [-1.0, 0.5]}])]},
            "members.0.probes.0.next_token.logprobs.1",
            "less than or equal to 0",
        ),
        (
            {"members": [member(probes=[{**CONTINUATION, "logprobs": [[-1], [-3]]}])]},
            "members.0.probes.0.continuation",
            "logprobs are not of the shape of continuations",
        ),
        ({"members": [member(probes=[{"kind": "other"}])]}, "members.0.probes.0", "next_token"),
        (
            {"members": [member(template_arguments={"messages": 1, "strftime_now": "x"})]},
            "members.0",
            "template_arguments name messages, strftime_now, which rendering sets itself",
        ),
        (
            {"members": [member(template_arguments={"a b": 1})]},
            "members.0.template_arguments.a b.[key]",
            "match pattern",
        ),
        ({"members": [member(template_arguments={"a": [1]})]}, "members.0.template_arguments.a.bool", "valid boolean"),
        ({"base": {"model": "tiny", "sha256": "A" * 64}}, "base.sha256", "match pattern"),
        ({"base": {"model": "", "sha256": SHA}}, "base.model", "at least 1 character"),
        ({"pooling": "median"}, "pooling", "'linear' or 'logarithmic'"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_does_not_fit_is_refused_by_name(
    tmp_path: Path, changes: dict[str, Any], field: str, message: str
) -> None:
    folder = written(tmp_path, manifest(**changes))
    with pytest.raises(ManifestError, match=re.escape(message)) as caught:
        read_manifest(folder)
    assert caught.value.field == f"{folder / FILE_NAME}: {field}"


@pytest.mark.parametrize(("version", "found"), [(2, "int 2"), ("1", "'1'"), (None, "null")])
def test_another_schema_version_is_refused_before_anything_else(tmp_path: Path, version: Any, found: str) -> None:
    folder = written(tmp_path, {"schema_version": version, "layout": "unheard of"})
    with pytest.raises(ManifestError) as caught:
        read_manifest(folder)
    assert str(caught.value) == f"{folder / FILE_NAME}: schema_version: found {found}; expected 1"


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000])
def test_what_is_not_json_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ManifestError, match=r"text that is not JSON .*; expected a manifest"):
        read_manifest(written(tmp_path, text))


def test_bytes_that_are_not_utf_8_are_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"\xff\xfe")
    with pytest.raises(ManifestError, match="text that is not JSON"):
        read_manifest(tmp_path)


def test_json_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="schema_version: found null; expected 1"):
        read_manifest(written(tmp_path, "[1, 2]"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        read_manifest(tmp_path)
    assert (
        str(caught.value)
        == f"{tmp_path / FILE_NAME}: found no such file or directory; expected an ensemble's {FILE_NAME}"
    )


def test_a_manifest_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Manifest.model_validate(manifest()).name = "other"  # type: ignore[misc]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileError, match="a folder that can be written"):
        write_manifest(Manifest.model_validate(manifest()), tmp_path / "file")


def test_an_old_manifest_is_replaced_whole(tmp_path: Path) -> None:
    write_manifest(Manifest.model_validate(manifest(provenance={"long": "x" * 10_000})), tmp_path)
    short = Manifest.model_validate(manifest(provenance={}))
    write_manifest(short, tmp_path)
    assert read_manifest(tmp_path) == short


def test_a_write_that_fails_leaves_the_old_manifest_as_it_was(tmp_path: Path) -> None:
    file = write_manifest(Manifest.model_validate(manifest()), tmp_path)
    before = file.read_bytes()
    with files_no_larger_than(64), pytest.raises(FileError):
        write_manifest(Manifest.model_validate(manifest(provenance={})), tmp_path)
    assert file.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [FILE_NAME]


def test_a_write_that_fails_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(FileError):
        write_manifest(Manifest.model_validate(manifest()), tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == [FILE_NAME]
