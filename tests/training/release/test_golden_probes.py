"""Golden probes record the numbers of the model that they are told to open."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_checkpoint import write_tiny_adapter, write_tiny_checkpoint
from training_toys import toy_rows

from agents.core.manifest import NextTokenProbe
from agents.core.prompts import PromptRenderer
from agents.engines.tokenizer import ChatTokenizer
from training.release.golden_probes import ProbeRecorder, record_probes
from training.support.plain_model import plain_model

QUESTIONS = [row.question for row in toy_rows(2)]


def test_a_recorder_opens_what_each_member_is_computed_with(tmp_path: Path) -> None:
    base = write_tiny_checkpoint(tmp_path / "base")
    adapter = write_tiny_adapter(tmp_path / "adapter", base, seed=2)
    renderer = PromptRenderer(ChatTokenizer(base))
    recorder = ProbeRecorder(renderer, QUESTIONS)
    bare = recorder.record((base, None), "letter")
    assert bare == record_probes(plain_model(base), renderer, "letter", QUESTIONS)
    assert all(isinstance(probe, NextTokenProbe) for probe in bare)
    adapted = recorder.record((base, adapter), "letter")
    assert adapted == record_probes(plain_model(base, adapter), renderer, "letter", QUESTIONS)
    assert adapted != bare
    recorder.free_model()
    assert recorder.record((base, adapter), "letter") == adapted


def test_a_failed_open_leaves_no_older_model_behind(tmp_path: Path) -> None:
    base = write_tiny_checkpoint(tmp_path / "base")
    recorder = ProbeRecorder(PromptRenderer(ChatTokenizer(base)), QUESTIONS)
    first = recorder.record((base, None), "cloze")
    with pytest.raises(Exception, match="none"):
        recorder.record((tmp_path / "none", None), "cloze")
    assert recorder.record((base, None), "cloze") == first
