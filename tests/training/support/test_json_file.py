"""JSON files are text that reads back."""

from __future__ import annotations

import json
from pathlib import Path

from training.support.json_file import write_json


def test_json_is_written_as_text_that_reads_back(tmp_path: Path) -> None:
    write_json(tmp_path / "one.json", {"é": [1, None]})
    text = (tmp_path / "one.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"é": [1, None]}
    assert "é" in text
    assert text.endswith("}\n")
