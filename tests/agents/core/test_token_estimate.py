"""The estimate of the organisers' token count."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents.core.token_estimate import EstimatingTokenizer, estimate_tokens

COUNTED = Path(__file__).resolve().parents[2] / "puzzles" / "qwen_tokens.json"


def test_the_estimate_is_near_what_the_qwen_tokenizer_counts():
    rows = json.loads(COUNTED.read_text(encoding="utf-8"))
    ratios = sorted(tokens / estimate_tokens(text) for text, tokens in rows)
    assert ratios[0] > 0.8
    assert ratios[-1] < 1.03
    assert ratios[len(ratios) // 2] == pytest.approx(1, abs=0.05)


def test_a_tokenizer_that_only_counts_takes_the_organisers_arguments():
    text = "Who sits exactly in the middle?"
    assert len(EstimatingTokenizer().encode(text, add_special_tokens=False)) == estimate_tokens(text)
    assert estimate_tokens("") == 1
