"""A source is read by name, from the hub or a local folder, or from a file; always as a stream, and seeded."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.core.errors import FileError, InputError
from agents.core.schema import Question
from training.sources import SOURCES, SPLITS, Dropped, SourceRow, licence_of, read_source
from training.sources.hub import hub_rows
from training.sources.reading import convert_rows


def row(number: int = 0, **changes: Any) -> dict[str, Any]:
    fields = {"id": f"arc_easy-train-{number:05}", "source": "arc_easy", "split": "train", "subject": "physics"}
    question = {"question": f"Question {number}?", "choices": ["yes", "no"], "answer_index": 1}
    return {**fields, **question, **changes}


def physics_question(number: int) -> Question:
    return Question(f"Question {number}?", ("yes", "no"), "physics", 1)


def lines(rows: list[Any]) -> str:
    return "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in rows)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("AIAC_DATA_DIR", str(tmp_path))
    yield tmp_path


@pytest.mark.parametrize("name", ["arc_easy.train.jsonl.gz", "arc_easy.train.jsonl"])
def test_a_named_source_is_read_from_the_local_folder_where_one_is_set(folder: Path, name: str) -> None:
    text = lines([row(0), row(1, subject=None, id="Mercury_7")]).encode()
    (folder / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    assert list(read_source("arc_easy")) == [
        SourceRow(
            "arc_easy/train/00000", "arc_easy", "train", "physics", Question("Question 0?", ("yes", "no"), "physics", 1)
        ),
        SourceRow("arc_easy/train/Mercury_7", "arc_easy", "train", None, Question("Question 1?", ("yes", "no"), "", 1)),
    ]


def test_a_missing_split_is_refused_with_the_files_the_folder_has(folder: Path) -> None:
    (folder / "arc_easy.train.jsonl").write_text(lines([row()]))
    (folder / "arc_easy.test.jsonl.gz").write_bytes(gzip.compress(lines([row()]).encode()))
    with pytest.raises(FileError) as caught:
        read_source("arc_easy", "validation")
    assert str(caught.value) == (
        f"source: found no arc_easy.validation.jsonl.gz or arc_easy.validation.jsonl in the folder AIAC_DATA_DIR, "
        f"{folder}; expected one of the files it has of this source: arc_easy.test.jsonl.gz, arc_easy.train.jsonl; "
        "without AIAC_DATA_DIR the source is loaded from the hub"
    )
    with pytest.raises(FileError, match="expected a source it has files of"):
        read_source("sciq")


def test_a_local_folder_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIAC_DATA_DIR", str(tmp_path / "none"))
    with pytest.raises(FileError, match=r"AIAC_DATA_DIR: found no folder .*none; expected a folder"):
        read_source("sciq")


def test_a_file_is_read_by_path_and_by_name_and_keeps_what_its_rows_say(folder: Path) -> None:
    (folder / "quiz.jsonl").write_text(
        lines(
            [row(3, split="test"), {"question": "Which?", "choices": ["A) x", "B) y"], "answer": "B", "topic": "art"}]
        )
    )
    expected = [
        SourceRow("arc_easy/test/train-00003", "arc_easy", "test", "physics", physics_question(3)),
        SourceRow("quiz/validation/1", "quiz", "validation", "art", Question("Which?", ("x", "y"), "art", 1)),
    ]
    assert list(read_source("quiz.jsonl", "validation")) == expected
    assert list(read_source(str(folder / "quiz.jsonl"), "validation")) == expected


@pytest.mark.parametrize("name", ["quiz.json", "quiz.json.gz"])
def test_json_in_any_known_shape_is_read(folder: Path, name: str) -> None:
    rows = [{"question": "Which?", "choices": ["A) x", "B) y"], "answer": "B"}, {"question": "", "choices": []}]
    text = json.dumps({"history": [*rows, {"question": "And?", "choices": ["x", "y"]}]}).encode()
    (folder / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    first, *dropped = read_source(name)
    assert first == SourceRow("quiz/train/0", "quiz", "train", "history", Question("Which?", ("x", "y"), "history", 1))
    assert dropped == [Dropped("question"), Dropped("no key")]


def test_rows_that_cannot_be_used_are_given_as_reasons_in_their_place(folder: Path) -> None:
    rows = [row(0), row(1, answer_index=None), row(2, choices=["x"]), row(3, choices=["x", "x"]), row(4, question=" ")]
    (folder / "quiz.jsonl").write_text(lines([*rows, "text", row(6, choices=None)]) + "{broken\n\n" + lines([row(8)]))
    read = list(read_source("quiz.jsonl"))
    assert [entry.reason if isinstance(entry, Dropped) else entry.id for entry in read] == [
        "arc_easy/train/00000",
        "no key",
        "fewer than 2 choices",
        "repeated choices",
        "question: not a non-empty string",
        "not an object",
        "choices: not a list of 2 to 10 choices, or an object of them by letter",
        "not JSON",
        "arc_easy/train/00008",
    ]


def test_a_line_ends_at_a_newline_only(folder: Path) -> None:
    (folder / "quiz.jsonl").write_text(lines([row(question="a\u2028b\x85c")]), encoding="utf-8")
    (read,) = read_source("quiz.jsonl")
    assert isinstance(read, SourceRow)
    assert read.question.text == "a\u2028b\x85c"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("quiz.jsonl", b"{\xff}"),
        ("quiz.jsonl.gz", b"no gzip"),
        ("quiz.jsonl.gz", gzip.compress(lines([row()] * 50).encode())[:-9]),
        ("quiz.jsonl.gz", gzip.compress(b"x")[:10] + b"\xff" * 20),
        ("quiz.json", b"{"),
        ("quiz.json", b"3"),
    ],
)
def test_contents_that_cannot_be_read_are_refused(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(FileError, match=r"quiz\.json"):
        list(read_source(name))


@pytest.mark.parametrize("seed", range(5))
def test_a_limit_draws_usable_rows_in_file_order_the_same_ones_for_the_same_seed(folder: Path, seed: int) -> None:
    (folder / "quiz.jsonl").write_text(lines([row(i, answer_index=None if i % 5 == 0 else 0) for i in range(200)]))
    read = list(read_source("quiz.jsonl", seed=seed, limit=30))
    drawn = [entry.id for entry in read if isinstance(entry, SourceRow)]
    assert len(drawn) == 30
    assert drawn == sorted(set(drawn))
    assert sum(isinstance(entry, Dropped) for entry in read) == 40
    assert read == list(read_source("quiz.jsonl", seed=seed, limit=30))
    assert read != list(read_source("quiz.jsonl", seed=seed + 1, limit=30))


def test_a_limit_draws_each_row_with_the_same_probability(folder: Path) -> None:
    (folder / "quiz.jsonl").write_text(lines([row(i) for i in range(20)]))
    counts: Counter[str] = Counter()
    for seed in range(400):
        counts.update(
            entry.id for entry in read_source("quiz.jsonl", seed=seed, limit=5) if isinstance(entry, SourceRow)
        )
    assert len(counts) == 20
    assert all(60 < count < 145 for count in counts.values())  # 100 expected, standard deviation 8.7


def test_a_limit_above_the_number_of_rows_keeps_them_all(folder: Path) -> None:
    (folder / "quiz.jsonl").write_text(lines([row(i) for i in range(20)]))
    assert list(read_source("quiz.jsonl", limit=50)) == list(read_source("quiz.jsonl"))


def test_an_unknown_source_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError) as caught:
        read_source("arc")
    assert "source: found 'arc'" in str(caught.value)
    assert all(name in str(caught.value) for name in SOURCES)


def test_an_unknown_or_unpublished_split_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIAC_DATA_DIR", raising=False)
    with pytest.raises(InputError, match="split: found 'dev'; expected one of train, validation, test"):
        read_source("arc_easy", "dev")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="found test, of which hellaswag publishes no answers"):
        read_source("hellaswag", "test")


def test_a_data_set_on_the_hub_is_streamed(tmp_path: Path) -> None:
    """A folder stands in for the hub's repository: the library loads both the same way."""
    published = [{"question": "2+2?", "subject": "maths", "choices": ["3", "4"], "answer": 1}] * 3
    (tmp_path / "train.jsonl").write_text(lines(published))
    source = replace(SOURCES["mmlu"], hub_id=str(tmp_path), hub_config=None, splits={"train": "train"})
    read = list(convert_rows(source, "train", lambda: hub_rows(source, "train")))
    assert [entry.id for entry in read if isinstance(entry, SourceRow)] == [f"mmlu/train/{i}" for i in range(3)]
    with pytest.raises(FileError, match="expected a data set with the split validation"):
        next(hub_rows(source, "validation"))


def test_the_hubs_parquet_export_is_read_where_a_repository_holds_only_a_script(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pytest.importorskip("pyarrow").table({"context": ["c"], "query": ["q"], "correct_option": [1]})
    (tmp_path / "default" / "train").mkdir(parents=True)
    parquet.write_table(table, tmp_path / "default" / "train" / "0000.parquet")
    source = replace(SOURCES["logiqa"], hub_id=str(tmp_path))
    assert list(hub_rows(source, "train")) == [{"context": "c", "query": "q", "correct_option": 1}]


def test_a_hub_that_cannot_be_reached_is_one_sentence_that_says_what_to_set() -> None:
    code = (
        "from agents.core.errors import DownloadError\n"
        "from training.sources import read_source\n"
        "try:\n    next(read_source('sciq'))\n"
        "except DownloadError as error:\n    print(error)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "AIAC_DATA_DIR"}
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.startswith("The source sciq could not be loaded from the hub as allenai/sciq (")
    assert "set AIAC_DATA_DIR to a folder with sciq.SPLIT.jsonl.gz, or HF_ENDPOINT" in result.stdout
    assert result.stdout.count("\n") == 1


def test_a_column_the_publisher_renamed_is_named() -> None:
    rows = [{"question": "?", "options": ["a", "b"], "answer": 0, "subject": "x"}]
    with pytest.raises(InputError, match="cais/mmlu: found a row without the column choices"):
        list(convert_rows(SOURCES["mmlu"], "train", lambda: rows))


def test_every_source_says_what_it_is_and_what_it_allows() -> None:
    assert set(SOURCES) == {source.name for source in SOURCES.values()}
    for source in SOURCES.values():
        assert source.hub_id.count("/") == 1
        assert source.licence
        assert source.splits
        assert set(source.splits) <= set(SPLITS)
    assert {name for name in SOURCES if licence_of(name).terms == "non-commercial"} == {
        "sciq",
        "dream",
        "mmlu_auxiliary",
    }
    assert licence_of("bbh_mc").terms == licence_of("truthfulqa_mc1").terms == "evaluation only"
    assert licence_of("somebody's file") == ("not known", "unclear")


def test_importing_the_sources_loads_nothing_heavy() -> None:
    code = "import sys, training.sources; print(sorted({'datasets', 'pyarrow', 'torch', 'scipy'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
