"""What the referee does beside the scores: folders as batches, faults, keys, and matches that cannot be played."""

from __future__ import annotations

import pytest
from arena_fakes import FakeClock, Item, ScriptedFolder, ScriptedTeam, good_team, match_of, on_time, play, question

from agents.core.errors import FileError, InputError
from tournament.match.events import RunFinished
from tournament.match.key_judges import KeyView, ProofJudge
from tournament.teams.protocol import Fault

B = {"answer": "B"}


def test_a_folder_is_timed_as_a_whole_and_its_items_have_no_time(tmp_path):
    clock = FakeClock()
    folder = ScriptedFolder(clock, [question(i) for i in range(3)], [B] * 3, seconds=27.0)
    played = play(tmp_path / "log", clock, folder, good_team(clock, 3), match_of(3))
    assert folder.asked_for == [3, 3]
    assert [q.elapsed_s for q in played.board.innings[1].questions.values()] == [None] * 3
    assert [a.outcome for a in played.board.innings[2].answers.values()] == ["right"] * 3
    runs = [event for event in played.events if isinstance(event, RunFinished)]
    assert [(run.phase, run.elapsed_s, run.limit_s) for run in runs] == [("questions", 27, 39), ("answers", 27, 27)]


def test_a_folder_over_its_total_is_late_with_every_answer(tmp_path):
    clock = FakeClock()
    folder = ScriptedFolder(clock, [question(i) for i in range(3)], [B] * 3, seconds=27.01)
    board = play(tmp_path / "log", clock, folder, good_team(clock, 3), match_of(3)).board
    assert [a.outcome for a in board.innings[2].answers.values()] == ["late"] * 3
    assert board.innings[1].valid == 3


def test_rows_a_folder_does_not_give_are_faults_with_the_reason_of_the_run(tmp_path):
    clock = FakeClock()
    folder = ScriptedFolder(clock, [question(0), question(1)], [B], fault=Fault(kind="crashed", detail="exit code 3"))
    board = play(tmp_path / "log", clock, folder, good_team(clock, 3), match_of(3)).board
    assert [q.delivery for q in board.innings[1].questions.values()] == ["on time", "on time", "fault"]
    assert [a.outcome for a in board.innings[2].answers.values()] == ["right", "fault", "fault"]
    assert board.innings[2].answers[2].fault == Fault(kind="crashed", detail="exit code 3")
    assert board.innings[1].valid == 2


def test_a_team_that_only_faults_costs_the_other_nothing(tmp_path):
    clock = FakeClock()
    down = Item(fault=Fault(kind="connection", detail="refused"))
    home = ScriptedTeam(clock, "home", [down] * 4, lambda _: down)
    board = play(tmp_path / "log", clock, home, good_team(clock, 4, name="away"), match_of(4)).board
    assert board.ended is not None
    assert board.ended.winner == "away"
    # Home's innings has no questions; in its own, away's Q-agent has every point.
    assert (board.score("home"), board.score("away")) == (0, 100)


def test_the_rule_that_a_malformed_row_broke_is_in_the_log(tmp_path):
    clock = FakeClock()
    home = ScriptedTeam(
        clock,
        "home",
        [on_time(question(0)), on_time(question(1, choices=["A) x", "B) y", "C) z"]))],
        lambda _: on_time({"answer": "b"}),
    )
    board = play(tmp_path / "log", clock, home, good_team(clock, 2), match_of(2)).board
    assert board.innings[1].filtered is not None
    assert board.innings[1].filtered.broken == {1: "choices: 3 of them, not 4"}
    assert board.innings[2].answers[0].rule == "answer: 'b', not exactly one upper-case letter"


def test_a_disputed_key_is_shown_beside_the_score_and_changes_nothing(tmp_path):
    clock = FakeClock()
    proof = {"key": "C"}
    home = good_team(clock, 1, name="home")
    home.proofs = {question(0)["question"]: proof}
    judge = ProofJudge(lambda row, found: found["key"])
    board = play(tmp_path / "log", clock, home, good_team(clock, 1, letter="C"), match_of(1), judges=[judge]).board
    view = board.innings[1].keys[0]
    assert (view.status, view.letter, view.by) == ("refuted", "C", "proof")
    assert board.innings[1].answers[0].outcome == "wrong"
    assert board.score("home") == 200
    assert board.innings[2].keys[0].status == "unknown"


def test_the_first_judge_that_can_tell_is_believed(tmp_path):
    class Panel:
        def judge(self, question, row, proof):
            return KeyView("agreed", "B", "panel", [0.1, 0.7, 0.1, 0.1])

    clock = FakeClock()
    judges = [ProofJudge(lambda row, found: None), Panel()]
    board = play(tmp_path / "log", clock, good_team(clock, 1), good_team(clock, 1), match_of(1), judges=judges).board
    assert [innings.keys[0].by for innings in board.innings.values()] == ["panel", "panel"]


def test_probabilities_that_come_with_an_answer_are_kept_and_nonsense_is_not(tmp_path):
    clock = FakeClock()
    good = {"answer": "B", "probabilities": {"A": 0.1, "B": 0.7, "C": 0.1, "D": 0.1}}
    bad = {"answer": "B", "probabilities": [0.9, 0.9, 0.9, 0.9]}
    home = ScriptedTeam(clock, "home", [on_time(question(i)) for i in range(2)], [on_time(good), on_time(bad)])
    board = play(tmp_path / "log", clock, home, good_team(clock, 2), match_of(2)).board
    assert board.innings[2].answers[0].probabilities == [0.1, 0.7, 0.1, 0.1]
    assert board.innings[2].answers[1].probabilities is None


@pytest.mark.parametrize("hostile", [float("nan"), "\ud800", [[[[[[[[[[]]]]]]]]]], {"a": float("inf")}])
def test_values_that_would_break_a_log_are_logged_and_read_back(tmp_path, hostile):
    clock = FakeClock()
    home = ScriptedTeam(
        clock, "home", [on_time({**question(0), "explanation": hostile}), on_time(question(1))], lambda _: on_time(B)
    )
    away = ScriptedTeam(clock, "away", [on_time(hostile), on_time(question(1))], lambda _: on_time({"answer": hostile}))
    played = play(tmp_path / "log", clock, home, away, match_of(2))
    assert played.events[-1].type == "match_ended"
    assert played.board.innings[1].valid == 1


def test_a_number_of_questions_that_cannot_be_asked_is_refused(tmp_path):
    clock = FakeClock()
    with pytest.raises(InputError, match="questions: found 0; expected 1 to 10,000"):
        play(tmp_path / "log", clock, good_team(clock, 1), good_team(clock, 1), match_of(0))


def test_a_closed_set_with_a_broken_question_is_refused(tmp_path):
    clock = FakeClock()
    plan = match_of(1, closed_set=[question(0), question(1, choices=[])])
    with pytest.raises(InputError, match="tie-break: found 1 questions that do not pass"):
        play(tmp_path / "log", clock, good_team(clock, 1), good_team(clock, 1), plan)


def test_the_log_of_another_match_is_not_gone_on_with(tmp_path):
    clock = FakeClock()
    play(tmp_path / "log", clock, good_team(clock, 1), good_team(clock, 1), match_of(1))
    with pytest.raises(FileError, match=r"log: questions: found 1; expected 2, as this match has it"):
        play(tmp_path / "log", clock, good_team(clock, 2), good_team(clock, 2), match_of(2))
