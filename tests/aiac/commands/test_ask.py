"""`aiac ask` on the command line."""

from __future__ import annotations

import json

import pytest
from tiny_checkpoint import write_tiny_ensemble

from agents.asking.pool.pool import QuestionPool
from aiac.cli import run
from puzzles import Puzzle, verify


@pytest.fixture
def ask(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("AIAC_QUESTION_POOL", str(tmp_path / "pool.sqlite"))

    def run_command(*arguments):
        code = run(["ask", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_command


def test_a_question_is_printed_with_its_choices_key_and_explanation(ask):
    code, out, err = ask("--topic", "seating", "--difficulty", "easy")
    assert (code, err) == (0, "")
    head, question, *choices, answer, blank = out.splitlines()
    assert head.startswith("[Seating Arrangements (Linear, Circular) · easy ")
    assert len(question) > 20
    assert [choice[:3] for choice in choices] == ["A) ", "B) ", "C) ", "D) "]
    assert answer.startswith("Answer: ")
    assert blank == ""


def test_as_json_a_line_is_a_question_with_its_proof_if_asked_for(ask):
    code, out, _ = ask("--json", "--proof", "--count", "3", "--edition", "feb2026_iitd")
    assert code == 0
    rows = [json.loads(line) for line in out.splitlines()]
    assert len({row["id"] for row in rows}) == len({row["topic"] for row in rows}) == 3
    for row in rows:
        verify(Puzzle.from_json(row["proof"]))
    assert "proof" not in json.loads(ask("--json")[1])


def test_a_seed_gives_a_run_of_questions_that_begins_again_only_with_a_new_pool(ask, monkeypatch, tmp_path):
    first = ask("--seed", "7", "--count", "2")[1]
    second = ask("--seed", "7", "--count", "2")[1]
    monkeypatch.setenv("AIAC_QUESTION_POOL", str(tmp_path / "other.sqlite"))
    assert first != second
    assert ask("--seed", "7", "--count", "4")[1] == first + second


def test_a_dispute_shows_the_proof_by_id_or_text(ask):
    row = json.loads(ask("--json")[1])
    for key in (row["id"], row["question"]):
        code, out, _ = ask("--dispute", key)
        assert code == 0
        assert row["question"] in out
        verify(Puzzle.from_json(json.loads(out.split("Proof: ")[1])))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--topic", "Sudoku"], "topic: found 'Sudoku'; expected one of "),
        (["--difficulty", "99"], "difficulty: found float 99.0; expected easy, medium, hard, or a number from "),
        (["--difficulty", "brutal"], "difficulty: found 'brutal'; expected easy, medium, hard"),
        (["--edition", "mars2031"], "edition: found 'mars2031'"),
        (["--dispute", "Who is it?"], "dispute: found 'Who is it?'; expected the id or the text of a question"),
        (["--count", "0"], "count"),
        (["--ensemble", "nope"], "ensemble: found 'nope'; expected a folder with ensemble.json"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(ask, arguments, expected):
    code, out, err = ask(*arguments)
    assert (code, out) == (2, "")
    assert expected in err
    assert err.count("\n") == 1


def test_with_a_pool_that_cannot_be_used_a_question_is_asked_all_the_same_and_said_not_to_be_recorded(ask, tmp_path):
    (tmp_path / "pool.sqlite").write_bytes(b"no database " * 100)
    code, out, err = ask()
    assert code == 0
    assert "Answer: " in out
    assert "aiac: not recorded: " in err
    assert "no SQLite database" in err


def test_what_is_asked_is_recorded(ask, tmp_path):
    row = json.loads(ask("--json")[1])
    pool = QuestionPool(tmp_path / "pool.sqlite")
    assert pool.served(row["id"]).canonical()["question"] == row["question"]
    pool.close()


def test_an_ensemble_is_opened_only_for_a_topic_that_no_puzzle_covers_and_its_gates_hold(ask, tmp_path):
    ensemble = str(write_tiny_ensemble(tmp_path))
    ask("--topic", "seating")  # whatever writing the model has left on stderr is read away
    code, out, err = ask("--topic", "seating", "--ensemble", ensemble)
    assert (code, err) == (0, "")
    assert "Answer: " in out
    code, out, err = ask("--topic", "Insects", "--ensemble", ensemble)
    assert (code, out) == (1, "")
    assert "warming up" in err
    # A random model: what it writes in time is no question.
    assert "aiac: no question on Insects" in err.splitlines()[-1]
