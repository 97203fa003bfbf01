"""Checkpoint folders: the record, the check against it, and the folders people bring."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from tiny_model import GGUF, SPEC, MakeStore

from agents.core.errors import DamagedModelError, FileError, UnknownModelError
from agents.models.store import checkpoint_sha256, resolve_model, verify_checkpoint


@pytest.fixture
def pulled(make_store: MakeStore) -> Path:
    return make_store().pull("Tiny")


def test_the_record_says_where_the_weights_came_from_and_what_they_are(pulled: Path) -> None:
    record = verify_checkpoint(pulled)
    assert record["name"] == "Tiny"
    assert record["source"] == {"file": "tiny.gguf", "bytes": len(GGUF), "sha256": SPEC.gguf_sha256}
    assert record["converted_with"] == {"fake": "1.0"}
    assert record["files"] == {
        "config.json": {"bytes": 2, "sha256": hashlib.sha256(b"{}").hexdigest()},
        "model.safetensors": {"bytes": len(GGUF), "sha256": SPEC.gguf_sha256},
    }


def test_a_flipped_byte_is_found(pulled: Path) -> None:
    damaged = bytes([GGUF[0] ^ 1]) + GGUF[1:]
    (pulled / "model.safetensors").write_bytes(damaged)
    with pytest.raises(DamagedModelError) as caught:
        verify_checkpoint(pulled)
    assert caught.value.field == str(pulled / "model.safetensors")
    assert hashlib.sha256(damaged).hexdigest() in caught.value.found
    assert SPEC.gguf_sha256 in caught.value.expected


def test_a_truncated_file_is_found(pulled: Path) -> None:
    (pulled / "model.safetensors").write_bytes(GGUF[:-1])
    with pytest.raises(DamagedModelError, match=rf"model\.safetensors: found {len(GGUF) - 1:,} bytes"):
        verify_checkpoint(pulled)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "model.json"])
def test_a_missing_file_is_found(pulled: Path, name: str) -> None:
    (pulled / name).unlink()
    with pytest.raises(DamagedModelError, match=f"{name}: found no such file"):
        verify_checkpoint(pulled)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"files": {}}', '{"files": {"a": 1}, "source": {}}'])
def test_an_unreadable_record_is_damage(pulled: Path, text: str) -> None:
    (pulled / "model.json").write_text(text)
    with pytest.raises(DamagedModelError, match=r"model\.json: found (an unreadable record|text that is not JSON)"):
        verify_checkpoint(pulled)


def test_a_single_file_identifies_the_weights_by_its_own_hash(pulled: Path) -> None:
    assert checkpoint_sha256(pulled) == SPEC.gguf_sha256


def test_shards_identify_the_weights_by_their_names_and_hashes(tmp_path: Path) -> None:
    (tmp_path / "model-2.safetensors").write_bytes(b"two")
    (tmp_path / "model-1.safetensors").write_bytes(b"one")
    one, two = hashlib.sha256(b"one").hexdigest(), hashlib.sha256(b"two").hexdigest()
    lines = f"model-1.safetensors:{one}\nmodel-2.safetensors:{two}\n"
    assert checkpoint_sha256(tmp_path) == hashlib.sha256(lines.encode()).hexdigest()


def test_a_folder_without_weights_has_no_identity(tmp_path: Path) -> None:
    with pytest.raises(DamagedModelError, match="no weights"):
        checkpoint_sha256(tmp_path)


def test_a_folder_that_somebody_brings_is_used_as_it_is(tmp_path: Path, make_store: MakeStore) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    assert resolve_model(str(tmp_path), make_store()) == tmp_path


@pytest.mark.parametrize("name", ["pytorch_model.bin", "consolidated.00.pth", "model.pt"])
def test_pickled_weights_are_refused(tmp_path: Path, make_store: MakeStore, name: str) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / name).write_bytes(b"\x80\x04")
    with pytest.raises(DamagedModelError, match=f"pickled weights .*{name}.*safetensors only"):
        resolve_model(tmp_path, make_store())


def test_a_name_means_the_pulled_model_and_nothing_is_downloaded(make_store: MakeStore) -> None:
    store = make_store()
    with pytest.raises(FileError, match="aiac models pull Tiny"):
        resolve_model("tiny", store)
    folder = store.pull("Tiny")
    assert resolve_model("tiny", store) == folder


def test_neither_a_folder_nor_a_name(tmp_path: Path, make_store: MakeStore) -> None:
    with pytest.raises(UnknownModelError, match="one of Tiny, or a checkpoint folder"):
        resolve_model(tmp_path / "nothing", make_store())
