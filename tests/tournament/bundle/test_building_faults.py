"""A bundle appears whole or not at all, over nothing that somebody may want to keep, and a changed file is found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from agent_fakes import files_no_larger_than, letter_member, manifest_of
from bundle_fakes import WEIGHTS, Workshop, adapter, files_in, sha256, workshop
from doctor_fakes import put

from agents.core.errors import DamagedModelError, DiskSpaceError, EngineError, FileError, InputError, ManifestError
from agents.core.manifest import Base
from agents.ensemble.manifest_file import write_manifest
from agents.support.bundle import FILE_NAME
from tournament.bundle.building import build_bundle
from tournament.bundle.checking import differences
from tournament.bundle.record import read_record

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def shop(tmp_path) -> Workshop:
    return workshop(tmp_path / "shop")


@pytest.fixture
def bundle(tmp_path, shop) -> Path:
    build_bundle(tmp_path / "out", shop.request())
    return tmp_path / "out"


def test_an_empty_folder_is_filled_and_folders_above_are_made(shop, tmp_path):
    (tmp_path / "empty").mkdir()
    build_bundle(tmp_path / "empty", shop.request())
    build_bundle(tmp_path / "a/b/c", shop.request())
    assert files_in(tmp_path / "empty") == files_in(tmp_path / "a/b/c")


def test_a_folder_with_something_in_it_stays_as_it_is(shop, tmp_path):
    put(tmp_path / "out", "thesis.txt", "years of work")
    for replace in (False, True):
        with pytest.raises(FileError, match="found a folder with 1 entries in it; expected the path of a folder that"):
            build_bundle(tmp_path / "out", shop.request(), replace=replace)
    assert files_in(tmp_path / "out") == {"thesis.txt"}


def test_a_file_and_a_link_stay_as_they_are(shop, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    for name, found in {"file": "a file", "link": "a link"}.items():
        with pytest.raises(FileError, match=f"found {found}"):
            build_bundle(tmp_path / name, shop.request(), replace=True)


def test_an_earlier_bundle_is_replaced_only_where_that_is_asked_for(bundle, shop):
    put(bundle, "outputs/answers.json", "[]")
    with pytest.raises(FileError, match=r"found an earlier bundle of fake.*--force replaces this one"):
        build_bundle(bundle, shop.request())
    build_bundle(bundle, shop.request(engine="vllm"), replace=True)
    assert read_record(bundle).engine == "vllm"
    assert not (bundle / "outputs/answers.json").exists()


def test_another_programs_bundle_json_is_no_leave_to_replace(shop, tmp_path):
    put(tmp_path / "out", FILE_NAME, '{"schema_version": 1, "assets": []}')
    with pytest.raises(ManifestError, match=r"bundle\.json: "):
        build_bundle(tmp_path / "out", shop.request(), replace=True)
    assert files_in(tmp_path / "out") == {FILE_NAME}


def test_a_disk_that_is_too_small_is_seen_before_anything_is_written(shop, tmp_path):
    with pytest.raises(DiskSpaceError, match=r"1 MB free; expected at least .* for a bundle of fake"):
        build_bundle(tmp_path / "out", shop.request(), free_bytes=lambda folder: 1_000_000)
    assert not (tmp_path / "out").exists()


def test_a_disk_that_fills_while_it_is_written_leaves_nothing(shop, tmp_path):
    with pytest.raises(FileError, match="out: found file too large"), files_no_larger_than(10_000):
        build_bundle(tmp_path / "out", shop.request())
    assert {file.name for file in tmp_path.iterdir()} == {"shop"}


def test_a_replacement_that_fails_leaves_the_earlier_bundle(bundle, shop):
    before = (bundle / FILE_NAME).read_bytes()
    with pytest.raises(FileError), files_no_larger_than(10_000):
        build_bundle(bundle, shop.request(engine="vllm"), replace=True)
    assert (bundle / FILE_NAME).read_bytes() == before
    assert list(differences(bundle)) == []


def test_an_ensemble_that_does_not_serve_is_not_handed_in(shop, tmp_path):
    def refuse():
        raise EngineError("out of memory")

    with pytest.raises(EngineError):
        build_bundle(tmp_path / "out", shop.request(rehearse=refuse))
    assert not (tmp_path / "out").exists()
    assert build_bundle(tmp_path / "out", shop.request(rehearse=lambda: "float32")).cpu_dtype == "float32"


def test_weights_that_are_not_the_manifests_are_refused(shop, tmp_path):
    (shop.ensemble / "members/tuned/adapter_model.safetensors").write_bytes(b"other")
    with pytest.raises(DamagedModelError, match=r"adapter_model\.safetensors: found SHA-256"):
        build_bundle(tmp_path / "out", shop.request())
    (shop.base / "model.safetensors").write_bytes(b"other")
    with pytest.raises(DamagedModelError, match="as the manifest records"):
        build_bundle(tmp_path / "out", shop.request())
    assert not (tmp_path / "out").exists()


def test_an_adapter_without_its_settings_is_refused(shop, tmp_path):
    (shop.ensemble / "members/tuned/adapter_config.json").unlink()
    with pytest.raises(ManifestError, match=r"members\.tuned\.path: found no adapter_config\.json"):
        build_bundle(tmp_path / "out", shop.request())


def test_a_members_path_must_hold_wherever_the_folder_goes(shop, tmp_path):
    absolute = adapter("tuned", path=str(shop.ensemble / "members/tuned"))
    write_manifest(manifest_of(absolute, base=Base(model="tiny", sha256=sha256(WEIGHTS))), shop.ensemble)
    with pytest.raises(ManifestError, match="a path from the ensemble's own folder"):
        build_bundle(tmp_path / "out", shop.request())


def test_a_base_that_cannot_be_pulled_must_be_inside(tmp_path):
    for model, reason in {
        "tiny": "is no model of the catalogue",
        "SmolLM2-135M-Instruct": "pins other weights",
    }.items():
        shop = workshop(tmp_path / model, letter_member("plain"), model=model)
        with pytest.raises(InputError, match=f"models: found 'pull'; expected 'inside', for .*{reason}"):
            build_bundle(tmp_path / "out", shop.request(find_base=None))


def test_each_file_that_differs_is_one_sentence(bundle):
    put(bundle, "agents/answer_agent.py", "print('theirs')")
    put(bundle, "models/tiny/model.safetensors", WEIGHTS.upper())
    put(bundle, "agents/extra.py", "")
    (bundle / "qgen.yaml").unlink()
    (bundle / "agen.yaml").unlink()
    (bundle / "agen.yaml").symlink_to("/dev/zero")
    found = list(differences(bundle))
    kinds = {sentence.partition(":")[0]: sentence.partition("found ")[2].partition(";")[0] for sentence in found}
    assert kinds == {
        "agents/answer_agent.py": "15 bytes",
        "models/tiny/model.safetensors": f"SHA-256 {sha256(WEIGHTS.upper())}",
        "agents/extra.py": "a file that bundle.json does not list",
        "qgen.yaml": "no such file",
        "agen.yaml": "a link",
    }
    assert all("expected" in sentence and "\n" not in sentence for sentence in found)


def test_outputs_and_pythons_caches_are_no_difference(bundle):
    put(bundle, "outputs/questions.json", "[]")
    put(bundle, "agents/__pycache__/schema.cpython-311.pyc", "")
    assert list(differences(bundle)) == []


def test_a_folder_that_is_no_bundle_cannot_be_compared(tmp_path):
    with pytest.raises(FileError, match=r"bundle\.json: found no such file"):
        list(differences(tmp_path))


def test_files_may_be_read_by_whoever_runs_them(bundle):
    mask = os.umask(0)
    os.umask(mask)
    assert bundle.stat().st_mode & 0o777 == 0o777 & ~mask
    assert {file.stat().st_mode & 0o777 for file in bundle.rglob("*.py")} == {0o666 & ~mask}
