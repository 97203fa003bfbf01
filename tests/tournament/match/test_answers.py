"""Scores against a table computed by hand, over every rule of the tournament."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from arena_fakes import FEBRUARY, FakeClock, Item, ScriptedTeam, good_team, match_of, on_time, play, question

from tournament.teams.protocol import Fault

B = {"answer": "B", "reasoning": "So it is."}
SILENT = Fault(kind="silent", detail="nothing came")


@pytest.mark.parametrize(
    ("item", "outcome", "letter"),
    [
        (Item(B, seconds=0.1), "right", "B"),
        (Item(B, seconds=9.0), "right", "B"),
        (Item(B, seconds=9.01), "late", "B"),
        (Item({"answer": "C"}), "wrong", "C"),
        (Item({"answer": "b"}), "format", "B"),
        (Item({"answer": "B)"}), "format", "B"),
        (Item({"answer": "B) two 0"}), "format", "B"),
        (Item({"answer": " B"}), "format", "B"),
        (Item({"answer": "A) B) two 0"}), "format", "A"),
        (Item({"answer": "Ans"}), "format", None),
        (Item({"answer": ""}), "format", None),
        (Item({"answer": "E"}), "malformed", None),
        (Item({"answer": None}), "malformed", None),
        (Item({"reasoning": "B"}), "malformed", None),
        (Item({"answer": ["B"]}), "malformed", None),
        (Item("B"), "malformed", None),
        (Item(json.dumps(B)), "right", "B"),
        (Item({"answer": "B", "reasoning": "y " * 510}), "right", "B"),
        (Item({"answer": "B", "reasoning": "y " * 511}), "malformed", "B"),
        (Item({"answer": "B " * 50}), "malformed", None),
        (Item(fault=SILENT, seconds=11.0), "fault", None),
    ],
)
def test_an_answer_scores_as_the_table_says(tmp_path, item: Item, outcome: str, letter: str | None):
    clock = FakeClock()
    home = ScriptedTeam(clock, "home", [on_time(question(0))], [on_time(B)])
    away = ScriptedTeam(clock, "away", [on_time(question(1))], [item])
    played = play(tmp_path / "log", clock, home, away, match_of(1))
    answer = played.board.innings[1].answers[0]
    assert (answer.outcome, answer.letter) == (outcome, letter)
    # Innings 1: away's A-agent has 100 if right, home's Q-agent 100 otherwise. Innings 2: home is right.
    expected = (100, 100) if outcome == "right" else (200, 0)
    assert (played.board.score("home"), played.board.score("away")) == expected


def bare(number: int) -> dict[str, Any]:
    return question(number, choices=["Apple", "Banana", "Cherry", "Damson"])


def doubled(number: int) -> dict[str, Any]:
    return question(number, choices=["A) A) one", "B) B) two", "C) C) three", "D) D) four"])


@pytest.mark.parametrize(
    ("third", "survives"),
    [
        (on_time(question(2)), True),
        (on_time(json.dumps(question(2))), True),
        (on_time(doubled(2)), True),
        (on_time(bare(2)), True),
        (on_time(question(2, key="B) two 2")), True),
        (Item(question(2), seconds=13.0), True),
        (Item(question(2), seconds=13.01), False),
        (on_time(question(2, choices=["A) x", "B) y", "C) z"])), False),
        (on_time(question(2, choices={"A": "one", "B": "two", "C": "three", "D": "four"})), False),
        (on_time(question(2, choices=["one", "two", "three", "four"])), False),
        (on_time({k: v for k, v in question(2).items() if k != "topic"}), False),
        (on_time(question(2, key=1)), False),
        (on_time(question(2, question="long " * 200)), False),
        (on_time(question(2, explanation="long " * 1100)), False),
        (on_time("not a question"), False),
        (on_time([question(2), 100, 1.5]), False),
        (Item(fault=SILENT, seconds=15.0), False),
    ],
)
def test_n_counts_the_questions_that_survive_the_filter_in_time(tmp_path, third: Item, survives: bool):
    clock = FakeClock()
    home = ScriptedTeam(clock, "home", [on_time(question(0)), on_time(question(1)), third], good_team(clock, 0).answers)
    away = ScriptedTeam(
        clock, "away", [on_time(question(i)) for i in range(3)], [on_time(B), on_time({"answer": "C"}), on_time(B)]
    )
    board = play(tmp_path / "log", clock, home, away, match_of(3)).board
    first = board.innings[1]
    assert first.valid == (3 if survives else 2)
    # Away is right on the first and, where it counts, on the third; wrong on the second.
    away_points, home_points = (200 / 3, 100 / 3) if survives else (50, 50)
    assert float(first.points("away")) == pytest.approx(away_points)
    assert float(first.points("home")) == pytest.approx(home_points)
    # In the second innings home is right three times out of three.
    assert float(board.score("home")) == pytest.approx(home_points + 100)
    assert float(board.score("away")) == pytest.approx(away_points)


def test_a_key_written_with_its_text_is_read_by_its_first_letter_and_a_lower_case_key_is_never_met(tmp_path):
    clock = FakeClock()
    asks = [on_time(question(0, key="B) two 0")), on_time(question(1, key="b")), on_time(question(2, key="two 2"))]
    home = ScriptedTeam(clock, "home", asks, good_team(clock, 0).answers)
    board = play(tmp_path / "log", clock, home, good_team(clock, 3), match_of(3)).board
    assert [board.innings[1].answers[i].outcome for i in range(3)] == ["right", "wrong", "wrong"]


@pytest.mark.parametrize(("good", "disqualified"), [(4, False), (2, False), (1, True), (0, True)])
def test_fewer_than_half_of_the_questions_surviving_disqualifies(tmp_path, good: int, disqualified: bool):
    clock = FakeClock()
    asks = [on_time(question(i) if i < good else {"question": "broken"}) for i in range(4)]
    home = ScriptedTeam(clock, "home", asks, good_team(clock, 0).answers)
    away = good_team(clock, 4, name="away", letter="C")
    board = play(tmp_path / "log", clock, home, away, match_of(4)).board
    assert board.innings[1].disqualified is disqualified
    assert board.innings[1].valid == (0 if disqualified else good)
    # Away is never right; home always. Without the disqualification home would have won 200 to 0.
    assert board.score("home") == (100 if disqualified else 200)
    assert board.score("away") == 0
    assert board.ended is not None
    assert board.ended.winner == ("away" if disqualified else "home")
    assert len(away.seen) == (0 if disqualified else good)


def test_two_disqualified_teams_have_no_winner_and_no_tie_break(tmp_path):
    clock = FakeClock()
    home, away = (ScriptedTeam(clock, name, [on_time(None)] * 2, []) for name in ("home", "away"))
    board = play(tmp_path / "log", clock, home, away, match_of(2, closed_set=[question(9)])).board
    assert board.ended is not None
    assert board.ended.winner is None
    assert board.ended.reason == "too few questions of either team survived the filter"
    assert (board.score("home"), board.score("away")) == (0, 0)
    assert home.seen == []


def test_an_edition_that_asks_for_two_fifths_still_gets_nothing_from_a_filter_that_wants_half(tmp_path):
    clock = FakeClock()
    edition = replace(FEBRUARY, survival_fraction=0.4)
    asks = [on_time(question(i) if i < 9 else None) for i in range(20)]
    home = ScriptedTeam(clock, "home", asks, good_team(clock, 0).answers)
    board = play(tmp_path / "log", clock, home, good_team(clock, 20), match_of(20, edition)).board
    assert board.innings[1].valid == 0
    assert board.innings[1].disqualified


@pytest.mark.parametrize(
    ("home_right", "away_right", "winner"), [(2, 1, "home"), (1, 2, "away"), (1, 1, None), (0, 0, None)]
)
def test_a_tie_goes_to_whoever_has_more_right_on_the_closed_set(tmp_path, home_right, away_right, winner):
    clock = FakeClock()
    closed = [question(100 + i) for i in range(3)]

    def team(name: str, right: int) -> ScriptedTeam:
        letters = {q["question"]: "B" if i < right else "C" for i, q in enumerate(closed)}
        return ScriptedTeam(
            clock,
            name,
            [on_time(question(i)) for i in range(2)],
            lambda q: on_time({"answer": letters.get(q["question"], "B")}),
        )

    board = play(
        tmp_path / "log", clock, team("home", home_right), team("away", away_right), match_of(2, closed_set=closed)
    ).board
    assert board.score("home") == board.score("away") == 100
    assert (board.tie_break_right("home"), board.tie_break_right("away")) == (home_right, away_right)
    assert board.ended is not None
    assert board.ended.winner == winner


def test_a_closed_set_is_left_alone_when_the_innings_decide_and_a_tie_without_one_is_a_draw(tmp_path):
    clock = FakeClock()
    home, away = good_team(clock, 1), good_team(clock, 1, letter="C")
    board = play(tmp_path / "decided", clock, home, away, match_of(1, closed_set=[question(9)])).board
    assert board.ended is not None
    assert board.ended.winner == "home"
    assert board.tie_break == {"home": {}, "away": {}}
    drawn = play(tmp_path / "drawn", clock, good_team(clock, 1), good_team(clock, 1), match_of(1)).board
    assert drawn.ended is not None
    assert drawn.ended.winner is None


def test_the_answerer_sees_neither_the_key_nor_the_explanation(tmp_path):
    clock = FakeClock()
    home, away = good_team(clock, 2), good_team(clock, 2)
    play(tmp_path / "log", clock, home, away, match_of(2))
    assert [sorted(row) for row in away.seen] == [["choices", "question", "topic"]] * 2


def test_topics_are_asked_for_in_turn_and_every_seed_once(tmp_path):
    clock = FakeClock()
    home, away = good_team(clock, 5), good_team(clock, 5)
    play(tmp_path / "log", clock, home, away, match_of(5, seed=3, difficulty="hard"))
    topics = [topic for names in FEBRUARY.topics.values() for topic in names]
    assert [request.topic for request in home.asked] == [*topics, topics[0]]
    assert {request.difficulty for request in home.asked} == {"hard"}
    assert len({request.seed for team in (home, away) for request in team.asked}) == 10
