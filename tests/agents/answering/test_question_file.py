"""A file of questions in, a file of answers out: rows keep their places, outputs are whole or not there."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from agent_fakes import CAPITAL, ScriptedEngine, answerer_on, files_no_larger_than, letter_member

from agents.answering.question_file import (
    AnsweredFile,
    answer_rows,
    filtered_path,
    read_question_file,
    write_answers,
)
from agents.core.deadline import MARGIN_SECONDS
from agents.core.edition import load_edition
from agents.core.errors import FileError, QuestionError
from agents.core.schema import BrokenRow, Question
from agents.support.atomic_file import require_writable, write_whole

EDITION = load_edition("oct2025_aiac")
BROKEN = BrokenRow("question row: found null; expected an object")


def answered(engine: ScriptedEngine, rows: list[Question | BrokenRow], **options: Any) -> AnsweredFile:
    work = answer_rows(answerer_on(engine, letter_member("one")), rows, options.pop("edition", EDITION), **options)
    return asyncio.run(asyncio.wait_for(work, 10))


def test_a_broken_row_is_null_in_its_place() -> None:
    done: list[None] = []
    found = answered(
        ScriptedEngine(knows={"one": "Paris"}), [CAPITAL, BROKEN, CAPITAL], advance=lambda: done.append(None)
    )
    answers = found.answers()
    assert answers[1] is None
    assert [entry and entry["answer"] for entry in answers] == ["B", None, "B"]
    assert found.results[1] is BROKEN
    assert len(done) == 3


@pytest.mark.parametrize("batch_size", [1, 3, 20])
def test_so_many_questions_are_at_work_at_a_time(batch_size: int) -> None:
    enough = asyncio.Event()

    class Slow(ScriptedEngine):
        async def next_token_logprobs(self, *arguments: Any) -> list[float]:
            self.running += 1
            self.most_running = max(self.most_running, self.running)
            if self.running == min(batch_size, 9):
                enough.set()
            await enough.wait()
            await asyncio.sleep(0)
            self.running -= 1
            return [-1.0] * 4

    engine = Slow()
    assert len(answered(engine, [CAPITAL] * 9, batch_size=batch_size).results) == 9
    assert engine.most_running == min(batch_size, 9)


def test_row_i_is_due_after_i_plus_one_limits_and_the_file_is_not_late() -> None:
    edition = replace(EDITION, answer_seconds=MARGIN_SECONDS + 0.02)
    found = answered(ScriptedEngine(hanging={"one"}), [CAPITAL, BROKEN, CAPITAL], edition=edition)
    assert [entry and entry["answer"] for entry in found.answers()] == ["C", None, "C"]
    assert 2 * edition.answer_seconds <= found.seconds < 3 * edition.answer_seconds + 1


def test_a_file_without_rows_gives_no_answers() -> None:
    assert answered(ScriptedEngine(), []).answers() == []


def test_a_question_file_is_read_row_by_row(tmp_path: Path) -> None:
    file = tmp_path / "questions.json"
    file.write_text(json.dumps([{"question": CAPITAL.text, "choices": list(CAPITAL.choices)}, None]))
    rows = read_question_file(file)
    assert rows[0] == CAPITAL
    assert isinstance(rows[1], BrokenRow)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[{", "found text that is not JSON .*; expected a readable JSON file of questions"),
        (b"", "found text that is not JSON"),
        (b'["\xff"]', r"found bytes that are not UTF-8 \(at 2\); expected a readable JSON file"),
    ],
)
def test_a_file_that_is_no_json_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "questions.json"
    file.write_bytes(content)
    with pytest.raises(FileError, match=message):
        read_question_file(file)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"none\.json: found no such file or directory; expected a readable JSON file"):
        read_question_file(tmp_path / "none.json")
    with pytest.raises(FileError, match="found is a directory"):
        read_question_file(tmp_path)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "five.json").write_text("5")
    with pytest.raises(QuestionError, match="questions: found int 5"):
        read_question_file(tmp_path / "five.json")


def test_the_answers_and_their_filtered_copy_are_written(tmp_path: Path) -> None:
    output = tmp_path / "new" / "answers.json"
    long = {"answer": "A", "reasoning": "é" * 600}
    good = {"answer": "B", "reasoning": "é"}
    write_answers(output, [good, None, long], EDITION, len)
    assert json.loads(output.read_text("utf-8")) == [good, None, long]
    assert json.loads((tmp_path / "new" / "filtered_answers.json").read_text("utf-8")) == [good, None, None]
    assert "é" in output.read_text("utf-8")
    assert sorted(entry.name for entry in output.parent.iterdir()) == ["answers.json", "filtered_answers.json"]


def test_the_filtered_copy_lies_beside_the_output() -> None:
    assert filtered_path(Path("outputs/answers.json")) == Path("outputs/filtered_answers.json")


def test_a_target_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileError, match="expected a folder that can be written"):
        require_writable(tmp_path / "file" / "answers.json")
    with pytest.raises(FileError, match="found a folder; expected the path of a file"):
        require_writable(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused_before_the_work(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(FileError, match="found permission denied"):
        require_writable(tmp_path / "answers.json")


def test_a_check_leaves_nothing_behind(tmp_path: Path) -> None:
    require_writable(tmp_path / "new" / "answers.json")
    assert list((tmp_path / "new").iterdir()) == []


def test_an_old_output_stays_when_writing_fails(tmp_path: Path) -> None:
    output = tmp_path / "answers.json"
    output.write_text("old")
    with (
        files_no_larger_than(200_000),
        pytest.raises(FileError, match=r"answers\.json: found file too large; expected"),
    ):
        write_whole(output, "new" * 100_000)
    assert output.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["answers.json"]


def test_an_output_is_replaced_and_readable_by_all(tmp_path: Path) -> None:
    output = tmp_path / "answers.json"
    output.write_text("old and longer")
    write_whole(output, "new")
    assert output.read_text() == "new"
    assert output.stat().st_mode & 0o777 == 0o644
