"""The organisers' question command line, run as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from question_fakes import FAMILY_TREE, SEATING
from tiny_checkpoint import write_tiny_ensemble

from agents.core.edition import load_edition
from agents.core.rules import filter_questions
from agents.core.token_estimate import estimate_tokens

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path):
    def run_agent(*arguments, edition="oct2025_aiac", module="agents.question_agent", **variables):
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "AIAC_EDITION": edition,
            "AIAC_QUESTION_POOL": str(tmp_path / "pool" / "questions.sqlite"), **variables,
        }  # fmt: skip
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    return run_agent


def test_it_writes_questions_and_filtered_questions_and_reports_the_gates(run, tmp_path):
    done = run("--output_file", "outputs/questions.json", "--num_questions", "12", "--batch_size", "5", "--verbose")
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "outputs" / "questions.json").read_text())
    filtered = json.loads((tmp_path / "outputs" / "filtered_questions.json").read_text())
    assert rows == filtered == filter_questions(rows, estimate_tokens, load_edition("oct2025_aiac"))
    assert Counter(row["topic"] for row in rows) == {SEATING: 6, FAMILY_TREE: 6}
    assert all(set(row) == {"topic", "question", "choices", "answer", "explanation"} for row in rows)
    assert "12 asked" in done.stderr
    assert "12 pass the organisers' filter" in done.stderr
    assert "solver    proof" in done.stderr
    assert rows[0]["question"] in done.stderr
    assert done.stdout == ""


def test_a_second_run_repeats_nothing_and_a_dispute_shows_the_proof(run, tmp_path):
    rows = []
    for _ in range(2):
        assert run("--output_file", "questions.json", "--num_questions", "8").returncode == 0
        rows += json.loads((tmp_path / "questions.json").read_text())
    assert len({row["question"] for row in rows}) == 16
    done = run("ask", "--dispute", rows[0]["question"], "--json", module="aiac")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert {name: shown[name] for name in rows[0]} == rows[0]
    assert shown["proof"]["choices"][shown["proof"]["key"]] == rows[0]["choices"]["ABCD".index(rows[0]["answer"])][3:]


def test_topics_of_the_working_folder_come_before_the_editions_and_what_nothing_covers_is_left_out(run, tmp_path):
    (tmp_path / "assets").mkdir()
    topics = {"Logical Reasoning": ["Syllogisms"], "Maths": ["Quadratic Equations"]}
    (tmp_path / "assets" / "topics.json").write_text(json.dumps(topics))
    done = run("--num_questions", "3")
    assert done.returncode == 0, done.stderr
    assert {row["topic"] for row in json.loads((tmp_path / "outputs" / "questions.json").read_text())} == {"Syllogisms"}
    assert "Maths/Quadratic Equations: no puzzle covers this topic; it is left out" in done.stderr


def test_with_the_model_turned_on_it_is_asked_about_such_a_topic_and_what_it_lacks_is_said(run, tmp_path):
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "topics.json").write_text(json.dumps(["Syllogisms", "Insects"]))
    ensemble = str(write_tiny_ensemble(tmp_path))
    done = run("--num_questions", "2", AIAC_QUESTION_MODEL="true", AIAC_ENSEMBLE=ensemble)
    assert done.returncode == 0, done.stderr
    # A random model: the question on insects is lacking, and why.
    assert [row["topic"] for row in json.loads((tmp_path / "outputs" / "questions.json").read_text())] == ["Syllogisms"]
    assert "left out" not in done.stderr
    assert "question 2: no question on Insects" in done.stderr
    assert "model     propose" in done.stderr


def test_the_model_s_ensemble_is_not_even_looked_for_where_puzzles_cover_every_topic(run, tmp_path):
    done = run("--num_questions", "2", AIAC_QUESTION_MODEL="true", AIAC_ENSEMBLE="nowhere")
    assert done.returncode == 0, done.stderr
    done = run(AIAC_QUESTION_MODEL="perhaps")
    assert done.returncode == 2
    assert "AIAC_QUESTION_MODEL: found 'perhaps'; expected true or false" in done.stderr


def test_with_a_damaged_pool_it_asks_all_the_same_and_says_so(run, tmp_path):
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "questions.sqlite").write_bytes(b"no database " * 100)
    done = run("--num_questions", "2")
    assert done.returncode == 0, done.stderr
    assert len(json.loads((tmp_path / "outputs" / "questions.json").read_text())) == 2
    assert "found a file that is no SQLite database" in done.stderr
    assert "2 flagged" in done.stderr


@pytest.mark.parametrize(
    ("topics", "arguments", "expected"),
    [
        ("{", [], "assets/topics.json: found text that is not JSON"),
        ('["Sudoku"]', [], "topic: found 'Sudoku'; expected one of Syllogisms"),
        (None, ["--output_file", "file/questions.json"], "file: found file exists; expected a folder"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2_and_writes_nothing(run, tmp_path, topics, arguments, expected):
    (tmp_path / "file").write_text("")
    if topics is not None:
        (tmp_path / "assets").mkdir()
        (tmp_path / "assets" / "topics.json").write_text(topics)
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("question_agent: ")
    assert expected in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "outputs" / "questions.json").exists()


def test_numbers_below_one_and_an_unknown_edition_are_usage_errors(run):
    assert "--num_questions: found 0; expected 1 or more" in run("--num_questions", "0").stderr
    done = run(edition="mars2031")
    assert (done.returncode, "'mars2031'" in done.stderr) == (2, True)
