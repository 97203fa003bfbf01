"""A merged checkpoint computes what the adapter computes unmerged, is made once, and appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from agent_fakes import files_no_larger_than
from tiny_checkpoint import write_tiny_adapter, write_tiny_checkpoint

from agents.core.errors import DiskSpaceError, FileError
from agents.engines.tokenizer import ChatTokenizer
from agents.ensemble.merged import merged_checkpoint
from training.support.plain_model import plain_logprobs, plain_model

SHA, OTHER = "0" * 64, "1" * 64
PROMPT = list(range(5, 45))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("base"))


@pytest.mark.parametrize("options", [{}, {"use_rslora": True}, {"use_dora": True}], ids=["lora", "rslora", "dora"])
def test_it_computes_what_peft_computes_unmerged(options: dict[str, bool], base: Path, tmp_path: Path) -> None:
    adapter = write_tiny_adapter(tmp_path / "adapter", base, **options)
    merged = merged_checkpoint(base, SHA, adapter, SHA, root=tmp_path / "cache")
    expected = plain_logprobs(plain_model(base, adapter), PROMPT)
    assert plain_logprobs(plain_model(merged), PROMPT) == pytest.approx(expected, abs=1e-4)
    assert ChatTokenizer(merged).encode_text("Bees") == ChatTokenizer(base).encode_text("Bees")


def test_it_is_made_once_and_again_only_for_other_weights(base: Path, tmp_path: Path) -> None:
    adapter = write_tiny_adapter(tmp_path / "adapter", base)
    first = merged_checkpoint(base, SHA, adapter, SHA, root=tmp_path)
    made = (first / "model.safetensors").stat().st_mtime_ns
    assert merged_checkpoint(base, SHA, adapter, SHA, root=tmp_path) == first
    assert (first / "model.safetensors").stat().st_mtime_ns == made
    others = {
        merged_checkpoint(base, OTHER, adapter, SHA, root=tmp_path),
        merged_checkpoint(base, SHA, adapter, OTHER, root=tmp_path),
    }
    assert len(others) == 2
    assert first not in others


def test_a_disk_that_would_not_hold_it_is_seen_before_anything_is_written(base: Path, tmp_path: Path) -> None:
    adapter = write_tiny_adapter(tmp_path / "adapter", base)
    with pytest.raises(DiskSpaceError, match="adapter merged"):
        merged_checkpoint(base, SHA, adapter, SHA, root=tmp_path / "cache", free_bytes=lambda folder: 1000)
    assert [file for file in (tmp_path / "cache").rglob("*") if file.suffix == ".safetensors"] == []


def test_a_disk_that_fills_while_it_is_written_leaves_nothing(base: Path, tmp_path: Path) -> None:
    adapter = write_tiny_adapter(tmp_path / "adapter", base)
    with pytest.raises(FileError, match="can be written"), files_no_larger_than(20_000):
        merged_checkpoint(base, SHA, adapter, SHA, root=tmp_path / "cache")
    left = [file.name for file in (tmp_path / "cache" / "merged").iterdir() if file.suffix != ".lock"]
    assert left == []
