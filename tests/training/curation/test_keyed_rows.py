"""Question files are read as rows with a key; what cannot be used is counted."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from agents.core.errors import FileError, InputError
from training.curation.keyed_rows import read_data
from training.sources.files import find_data


def row(number: int = 0, **changes: Any) -> dict[str, Any]:
    return {"question": f"Question {number}?", "choices": ["A) yes", "B) no"], "answer": "B", **changes}


def lines(rows: list[Any]) -> str:
    return "".join(json.dumps(entry) + "\n" for entry in rows)


ROWS = [row(0), row(1, answer="A")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("quiz.json", json.dumps(ROWS).encode()),
        ("quiz.json", json.dumps({"questions": ROWS}).encode()),
        ("quiz.jsonl", lines(ROWS).encode()),
        ("quiz.jsonl", ("\n" + lines(ROWS) + "\n  \n").encode()),
        ("quiz.json.gz", gzip.compress(json.dumps(ROWS).encode())),
        ("quiz.jsonl.gz", gzip.compress(lines(ROWS).encode())),
    ],
)
def test_rows_are_read_from_every_kind_of_file(tmp_path: Path, name: str, content: bytes) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    data = read_data(file)
    assert [(r.source, r.question.text, r.question.choices, r.key) for r in data.rows] == [
        ("quiz", "Question 0?", ("yes", "no"), 1),
        ("quiz", "Question 1?", ("yes", "no"), 0),
    ]
    assert (data.name, data.sha256, data.skipped) == (name, hashlib.sha256(content).hexdigest(), {})


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("quiz.json", {"no key": 2, "choices": 2, "question": 1}),
        ("quiz.jsonl", {"no key": 2, "fewer than 2 choices": 2, "question: not a non-empty string": 1}),
    ],
)
def test_rows_that_cannot_be_used_are_counted_by_reason(tmp_path: Path, name: str, reasons: dict[str, int]) -> None:
    rows = [row(), row(answer=None), row(choices=["one"]), row(question=""), row(choices=["one"]), row(answer="?")]
    file = tmp_path / name
    file.write_text(lines(rows) if name.endswith("l") else json.dumps(rows))
    data = read_data(file)
    assert len(data.rows) == 1
    assert data.skipped == reasons


def test_a_row_keeps_the_source_and_the_topic_it_names(tmp_path: Path) -> None:
    file = tmp_path / "quiz.jsonl"
    file.write_text(lines([row(source="mmlu", subject="virology"), row(topic="art"), row()]))
    found = [(entry.source, entry.question.topic) for entry in read_data(file).rows]
    assert found == [("mmlu", "virology"), ("quiz", "art"), ("quiz", "")]


def test_a_file_without_a_usable_row_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "quiz.json"
    file.write_text(json.dumps([row(answer=None), row(choices=[])]))
    with pytest.raises(InputError) as caught:
        read_data(file)
    assert str(caught.value) == (
        f"{file}: found no usable row (1 × no key, 1 × choices); expected questions with choices and a key"
    )
    file.write_text("[]")
    with pytest.raises(InputError, match="it is empty"):
        read_data(file)


def test_a_limit_draws_the_same_rows_for_the_same_seed(tmp_path: Path) -> None:
    file = tmp_path / "quiz.jsonl"
    file.write_text(lines([row(i) for i in range(50)]))
    first, again, other = (read_data(file, limit=10, seed=seed).rows for seed in (1, 1, 2))
    assert len(first) == 10
    assert first == again != other
    assert len(read_data(file, limit=500).rows) == 50


@pytest.mark.parametrize(
    ("name", "content"),
    [("quiz.json", b'["\xff"]'), ("quiz.json.gz", b"no gzip"), ("quiz.json.gz", gzip.compress(b"[]" * 99)[:-9])],
)
def test_contents_that_cannot_be_read_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError, match="found unreadable contents"):
        read_data(tmp_path / name)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such file"):
        read_data(tmp_path / "none.json")


def test_a_damaged_gzip_stream_is_refused(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(lines(ROWS).encode()))
    content[10] = 0xFF
    (tmp_path / "quiz.jsonl.gz").write_bytes(content)
    with pytest.raises(FileError):
        read_data(tmp_path / "quiz.jsonl.gz")


@pytest.mark.parametrize("separator", ["\u2028", "\x85"])
def test_a_line_of_json_lines_ends_at_a_newline_only(tmp_path: Path, separator: str) -> None:
    (tmp_path / "quiz.jsonl").write_text(json.dumps(row(question=f"a{separator}b"), ensure_ascii=False), "utf-8")
    assert read_data(tmp_path / "quiz.jsonl").rows[0].question.text == f"a{separator}b"


def test_data_is_found_by_path_and_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIAC_DATA_DIR", raising=False)
    file = tmp_path / "quiz.json"
    file.write_text("[]")
    assert find_data(str(file)) == file
    with pytest.raises(FileError, match=r"data: found no file quiz\.json; expected a path, or a name in the folder"):
        find_data("quiz.json")
    monkeypatch.setenv("AIAC_DATA_DIR", str(tmp_path))
    assert find_data("quiz.json") == file
