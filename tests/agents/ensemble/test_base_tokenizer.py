"""The base model's tokenizer where its files are here, and the estimate where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.core.token_estimate import EstimatingTokenizer
from agents.ensemble.base_tokenizer import base_tokenizer
from agents.ensemble.entry import read_entry_settings


def test_an_estimate_counts_where_no_model_has_been_pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIAC_CACHE_DIR", str(tmp_path))
    assert isinstance(base_tokenizer(read_entry_settings()), EstimatingTokenizer)


@pytest.mark.model
def test_the_base_models_own_tokenizer_counts_when_its_files_are_here(default_checkpoint: Path) -> None:
    from transformers import AutoTokenizer

    text = "Who sits exactly in the middle of the row?"
    expected = AutoTokenizer.from_pretrained(default_checkpoint).encode(text, add_special_tokens=False)
    assert list(base_tokenizer(read_entry_settings()).encode(text, add_special_tokens=False)) == expected
