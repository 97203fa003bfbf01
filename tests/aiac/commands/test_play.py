"""`aiac play` and `aiac report` as a person runs them, on opponents that need no model but a tokenizer."""

from __future__ import annotations

import json

import pytest
from tiny_checkpoint import write_tiny_checkpoint

from aiac.cli import run
from tournament.match.log import read_log
from tournament.match.scoreboard import Scoreboard

EDITION = "aaipl-2026-02"


@pytest.fixture
def play(word_counter, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> tuple[int, str, str]:
        code = run(["play", "--edition", EDITION, "--tokenizer", word_counter, *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def test_a_match_between_two_opponents_made_here(play, tmp_path):
    arguments = ["--home", "random", "--away", "always-a", "--questions", "8"]
    outputs = ["--log", "a.jsonl", "--report", "a.html", "--json", "a.json"]
    code, out, _ = play(*arguments, *outputs)
    assert code == 0
    assert "points to" in out or "points each" in out
    board = Scoreboard.of(read_log(tmp_path / "a.jsonl"))
    assert board.ended is not None
    assert [innings.valid for innings in board.innings.values()] == [8, 8]
    assert {view.status for innings in board.innings.values() for view in innings.keys.values()} == {"proved"}
    numbers = json.loads((tmp_path / "a.json").read_text())[0]
    assert numbers["scores"]["home"] + numbers["scores"]["away"] == pytest.approx(200)
    assert "<!doctype html>" in (tmp_path / "a.html").read_text()


def test_a_match_that_is_over_is_shown_again_and_not_played(play, tmp_path):
    arguments = ["--home", "random", "--away", "always-a", "--questions", "4", "--log", "a.jsonl"]
    assert play(*arguments)[0] == 0
    before = (tmp_path / "a.jsonl").read_bytes()
    assert play(*arguments)[0] == 0
    assert (tmp_path / "a.jsonl").read_bytes() == before
    code, _, err = play(*arguments, "--seed", "1")
    assert code == 2
    assert "a.jsonl: seed: found 0; expected 1" in err


def test_a_file_of_questions_is_an_opponent_and_a_base_model_is_another(play, tmp_path):
    rows = [
        {"topic": "t", "question": f"Which is {i}?", "choices": ["ab", "cd", "ef", "gh"], "answer": "B"} for i in "xyz"
    ]
    theirs = [{"question": row["question"], "choices": row["choices"], "expected_answer": "B"} for row in rows]
    (tmp_path / "file.json").write_text(json.dumps({"questions": theirs}))
    base = str(write_tiny_checkpoint(tmp_path / "tiny"))
    code, _, _ = play(
        "--home", "file.json", "--away", "base-cloze", "--base-model", base, "--questions", "3", "--log", "a.jsonl"
    )
    assert code == 0
    board = Scoreboard.of(read_log(tmp_path / "a.jsonl"))
    assert board.innings[1].valid == 3
    assert all(answer.probabilities is not None for answer in board.innings[1].answers.values())
    assert board.started is not None
    assert board.started.home.kind == "question file"


def test_a_tie_goes_to_the_closed_set(play, tmp_path):
    choices = ["A) ab", "B) cd", "C) ef", "D) gh"]
    rows = [{"question": f"Which is {i}?", "choices": choices, "answer": "A"} for i in range(5)]
    for name in ("home.json", "away.json", "closed.json"):
        (tmp_path / name).write_text(json.dumps([{"topic": "t", **row} for row in rows]))
    # Both ask the same and draw the same letter for the same question.
    files = ["--home", "home.json", "--away", "away.json", "--tie-break", "closed.json"]
    code, out, _ = play(*files, "--questions", "5", "--log", "a.jsonl")
    assert code == 0
    board = Scoreboard.of(read_log(tmp_path / "a.jsonl"))
    assert board.score("home") == board.score("away")
    assert [len(answers) for answers in board.tie_break.values()] == [5, 5]
    assert "right each on the closed set" in " ".join(out.split())


def test_a_league_is_played_rated_and_gone_on_with(play, tmp_path):
    (tmp_path / "teams.yaml").write_text("teams:\n  one: random\n  two: always-a\n  three: always-a\n")
    arguments = ["--round-robin", "teams.yaml", "--questions", "4", "--folder", "logs", "--json", "league.json"]
    code, out, _ = play(*arguments)
    assert code == 0
    assert "Ratings, AAIPL, February 2026" in out
    assert "Head to head" in out
    league = json.loads((tmp_path / "league.json").read_text())[0]
    assert {rating["team"] for rating in league["ratings"]} == {"one", "two", "three"}
    assert len(league["points"]) == 6
    logs = {file.name: file.read_bytes() for file in (tmp_path / "logs").iterdir()}
    assert len(logs) == 3
    asked = [
        e.row["question"] for log in logs for e in read_log(tmp_path / "logs" / log) if e.type == "question_received"
    ]
    assert len(set(asked)) == len(asked) == 3 * 2 * 4
    assert play(*arguments)[0] == 0
    assert {file.name: file.read_bytes() for file in (tmp_path / "logs").iterdir()} == logs


def test_the_log_is_named_in_one_line_whatever_its_length(play):
    log = f"{'long' * 30}.jsonl"
    assert f"log: {log}\n" in play("--home", "random", "--away", "random", "--questions", "1", "--log", log)[1]


def test_a_report_is_written_beside_its_log(play, tmp_path, capsys):
    assert play("--home", "random", "--away", "random", "--questions", "2", "--log", "a.jsonl")[0] == 0
    assert run(["report", "a.jsonl"]) == 0
    assert capsys.readouterr().out == "a.html\n"
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--home", "random"], "--home and --away: found one that is missing"),
        (["--home", "random", "--away", "nobody"], "team: found 'nobody'; expected an address (http://…), a folder"),
        (["--home", "random", "--away", "http://:1"], "team: found 'http://:1'"),
        (["--home", "random", "--away", "."], "found no folder agents/ in it; expected a submission folder"),
        (["--home", "random", "--away", "random", "--difficulty", "cruel"], "difficulty: found 'cruel'"),
        (["--home", "random", "--away", "random", "--edition", "1999"], "edition: found '1999'"),
        (["--home", "random", "--away", "random", "--tie-break", "no.json"], "no.json: found no such file"),
        (["--home", "random", "--away", "random", "--report", "/proc/x/y"], "expected a folder that can be written"),
        (["--home", "random", "--away", "random", "--questions", "10001"], "questions: found 10001"),
        (["--round-robin", "no.yaml"], "no.yaml: found no such file or directory"),
    ],
)
def test_what_cannot_be_played_is_one_sentence(play, arguments, complaint):
    code, _, err = play(*arguments)
    assert code == 2
    assert complaint in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("teams: {a: random}", "teams: found an object with 1 keys; expected at least two teams"),
        ("teams: [random, random]", "teams: found a list of 2"),
        ("- a\n", "teams: found null"),
        ("teams: {a: random, b: 5}", "teams.b: found int 5"),
        ("{", "found text that is not YAML"),
    ],
)
def test_teams_that_cannot_be_read_are_one_sentence(play, tmp_path, text, complaint):
    (tmp_path / "teams.yaml").write_text(text)
    code, _, err = play("--round-robin", "teams.yaml")
    assert code == 2
    assert complaint in err


def test_what_is_no_log_has_no_report(play, tmp_path, capsys):
    (tmp_path / "a.jsonl").write_text("not a log\n")
    assert run(["report", "a.jsonl"]) == 2
    assert "line 1: found text that is not JSON" in capsys.readouterr().err
    assert not (tmp_path / "a.html").exists()


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["a b", "a-b", "c"], "'a b' and 'a-b', which are both a-b in short"),
        (["us", "US"], "'us' and 'US', which are both US in short"),
        (["x" * 40 + "1", "x" * 40 + "2"], f"'{'x' * 40}1' and '{'x' * 40}2', which are both {'x' * 40} in short"),
        (["a", "b c", "a b", "c"], "'a' against 'b c' and 'a b' against 'c', which are both feb2026_iitd-a-b-c.jsonl"),
    ],
)
def test_names_that_one_log_would_hold_are_refused(play, tmp_path, names, found):
    (tmp_path / "teams.yaml").write_text(json.dumps({"teams": dict.fromkeys(names, "random")}))
    code, _, err = play("--round-robin", "teams.yaml", "--questions", "1", "--folder", "logs")
    assert code == 2
    assert f"teams.yaml: teams: found {found}" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "logs").exists()
