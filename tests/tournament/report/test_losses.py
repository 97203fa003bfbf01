"""Where points were lost, and what would have won, counted by hand."""

from __future__ import annotations

from arena_fakes import FakeClock, Item, ScriptedTeam, good_team, match_of, on_time, play, question

from tournament.match.key_judges import ProofJudge
from tournament.report.calibration import calibration
from tournament.report.losses import losses
from tournament.teams.protocol import Fault

B = {"answer": "B"}


def test_each_cause_is_counted_with_its_points_and_what_would_have_been_right(tmp_path):
    clock = FakeClock()
    answers = [
        Item(B, seconds=9.5),
        Item({"answer": "C"}, seconds=9.5),
        on_time({"answer": "b"}),
        on_time({"answer": "E"}),
        Item(fault=Fault(kind="silent", detail="nothing")),
        on_time({"answer": "C"}),
        on_time({"answer": "D"}),
        on_time(B),
    ]
    home = good_team(clock, 8, name="home", letter="C")
    home.proofs = {question(5)["question"]: "C"}
    away = ScriptedTeam(clock, "away", [on_time(question(i)) for i in range(8)], answers)
    judge = ProofJudge(lambda row, proof: proof)
    board = play(tmp_path / "log", clock, home, away, match_of(8), judges=[judge]).board
    found = {(loss.side, loss.cause): (loss.items, loss.points, loss.regained) for loss in losses(board)}
    assert found == {
        ("away", "late"): (2, 25.0, 1),
        ("away", "format"): (1, 12.5, 1),
        ("away", "malformed"): (1, 12.5, 0),
        ("away", "fault"): (1, 12.5, 0),
        ("away", "wrong key"): (1, 12.5, 1),
        ("away", "wrong answer"): (1, 12.5, 0),
        ("home", "wrong answer"): (8, 100.0, 0),
    }


def test_the_winner_had_the_lost_answers_counted(tmp_path):
    clock = FakeClock()
    # Home is right on three of four; away knows all, but two come late.
    home = ScriptedTeam(
        clock, "home", [on_time(question(i)) for i in range(4)], [on_time(B)] * 3 + [on_time({"answer": "C"})]
    )
    away = ScriptedTeam(
        clock, "away", [on_time(question(i)) for i in range(4)], [Item(B, seconds=9.1)] * 2 + [on_time(B)] * 2
    )
    board = play(tmp_path / "log", clock, home, away, match_of(4)).board
    # 50 + 75 for home, 50 + 25 for away; with the two late ones 25 fewer each for home... 75 to 125.
    assert (board.score("home"), board.score("away")) == (125, 75)
    late = next(loss for loss in losses(board) if loss.cause == "late")
    assert (late.regained, late.winner_if_regained) == (2, "away")


def test_what_a_disqualified_team_lost_changes_nothing(tmp_path):
    clock = FakeClock()
    home = ScriptedTeam(clock, "home", [on_time(None)] * 2, lambda _: on_time({"answer": "b"}))
    board = play(tmp_path / "log", clock, home, good_team(clock, 2, name="away"), match_of(2)).board
    assert [(loss.cause, loss.winner_if_regained) for loss in losses(board)] == [("format", "away")]


def test_calibration_compares_the_surest_letter_with_the_key(tmp_path):
    clock = FakeClock()

    def sure(letter: str, confidence: float) -> Item:
        rest = (1 - confidence) / 3
        shares = {each: confidence if each == letter else rest for each in "ABCD"}
        return on_time({"answer": letter, "probabilities": shares})

    answers = [sure("B", 0.9), sure("C", 0.95), sure("B", 0.45), on_time(B)]
    away = ScriptedTeam(clock, "away", [on_time(question(i)) for i in range(4)], answers)
    board = play(tmp_path / "log", clock, good_team(clock, 4), away, match_of(4)).board
    bins = [(each.answers, round(each.confidence, 3), each.right) for each in calibration(board.innings[1])]
    assert bins == [(1, 0.45, 1.0), (2, 0.925, 0.5)]
    assert calibration(board.innings[2]) == []
