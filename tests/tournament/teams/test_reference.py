"""Opponents made here, files of questions, and the panel."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import Counter

import pytest
from agent_fakes import CAPITAL, ScriptedEngine, answerer_on, letter_member
from arena_fakes import FEBRUARY, FakeClock, count_words, good_team, match_of, play, question

from agents.core.errors import FileError
from tournament.match.key_judges import PanelJudge
from tournament.teams.protocol import QuestionSpec, TeamFaultError
from tournament.teams.question_file import FileSource, read_closed_set, read_rows
from tournament.teams.reference import AlwaysFirst, ModelTeam, RandomLetter

ROWS = [question(i) for i in range(4)]
SOURCE = FileSource(ROWS)
LETTERED = [f"{letter}) {text}" for letter, text in zip("ABCD", CAPITAL.choices, strict=True)]
CAPITAL_ROW = {"topic": "Capitals", "question": CAPITAL.text, "choices": LETTERED, "answer": "B", "explanation": ""}
LIMIT_S = 60.0


@pytest.fixture
def runner():
    with asyncio.Runner() as runner:
        yield runner


def test_always_a_says_a():
    assert AlwaysFirst(SOURCE).answer(question(), 1)["answer"] == "A"


def test_random_letters_are_even_and_the_same_for_the_same_seed_and_question():
    team, again, another = RandomLetter(SOURCE, 1), RandomLetter(SOURCE, 1), RandomLetter(SOURCE, 2)
    rows = [question(i) for i in range(400)]
    letters = [team.answer(row, 1)["answer"] for row in rows]
    assert letters == [again.answer(row, 1)["answer"] for row in rows]
    assert letters != [another.answer(row, 1)["answer"] for row in rows]
    assert all(70 <= count <= 130 for count in Counter(letters).values())


def test_a_file_is_asked_in_turn_from_where_the_seed_says():
    asked = [SOURCE.question(QuestionSpec("t", None, seed)) for seed in (0, 1, 5)]
    assert asked == [ROWS[0], ROWS[1], ROWS[1]]
    assert SOURCE.proof(ROWS[0]) is None


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ROWS),
        json.dumps({"questions": ROWS}),
        json.dumps({"Series": ROWS[:2], "Syllogisms": ROWS[2:]}),
        "\n".join(map(json.dumps, ROWS)) + "\n",
    ],
)
def test_rows_are_read_from_every_shape_of_file(tmp_path, text):
    (tmp_path / "rows.json").write_text(text)
    assert read_rows(tmp_path / "rows.json") == ROWS
    (tmp_path / "rows.json.gz").write_bytes(gzip.compress(text.encode()))
    assert read_rows(tmp_path / "rows.json.gz") == ROWS


def test_raw_rows_stay_raw_and_rows_with_a_key_of_another_name_become_canonical(tmp_path):
    odd = {"question": "Q?", "choices": {"A": "w", "B": "x", "C": "y", "D": "z"}, "correct_answer": "C"}
    broken = {"question": "Q?", "choices": ["A) x"], "answer": "A"}
    (tmp_path / "rows.json").write_text(json.dumps([odd, broken, "text"]))
    rows = read_rows(tmp_path / "rows.json")
    assert rows[0]["answer"] == "C"
    assert rows[1:] == [broken, "text"]


@pytest.mark.parametrize("text", ["5", "[]", '["text"]', "not json"])
def test_a_file_without_a_row_is_refused(tmp_path, text):
    (tmp_path / "rows.json").write_text(text)
    with pytest.raises(FileError, match="no row that is an object"):
        read_rows(tmp_path / "rows.json")


def test_a_closed_set_holds_only_questions_with_keys_that_pass_the_filter(tmp_path):
    rows = [question(0), {"question": "Q?", "choices": ["w", "x", "y", "z"]}, question(1, question="long " * 200)]
    (tmp_path / "closed.json").write_text(json.dumps(rows))
    assert [row["question"] for row in read_closed_set(tmp_path / "closed.json", FEBRUARY, count_words)] == [
        question(0)["question"]
    ]
    (tmp_path / "closed.json").write_text(json.dumps(rows[1:]))
    with pytest.raises(FileError, match="no question with a key that passes the filter"):
        read_closed_set(tmp_path / "closed.json", FEBRUARY, count_words)


def test_an_ensemble_answers_with_its_letter_and_its_probabilities(runner):
    engine = ScriptedEngine(knows={"one": "Paris"})
    team = ModelTeam(SOURCE, answerer_on(engine, letter_member("one")), runner, "ours", "ensemble")
    answer = team.answer(CAPITAL_ROW, LIMIT_S)
    assert answer["answer"] == "B"
    assert answer["probabilities"] == pytest.approx([0.1, 0.7, 0.1, 0.1])
    assert team.entry.kind == "ensemble"


def test_an_ensemble_that_hangs_answers_by_its_prior_before_the_limit(runner):
    engine = ScriptedEngine(hanging={"one"})
    team = ModelTeam(SOURCE, answerer_on(engine, letter_member("one")), runner, "ours", "ensemble")
    # With no time left after the patience and the margin it does not wait at all.
    assert team.answer(CAPITAL_ROW, 0.0)["answer"] == "C"


def test_an_ensemble_that_cannot_read_a_question_says_so(runner):
    team = ModelTeam(SOURCE, answerer_on(ScriptedEngine(), letter_member("one")), runner, "ours", "ensemble")
    with pytest.raises(TeamFaultError, match="2 to 10 choices"):
        team.answer(question(choices=["A) x"]), LIMIT_S)


def test_an_ensemble_answers_a_question_whose_choices_repeat(runner):
    team = ModelTeam(SOURCE, answerer_on(ScriptedEngine(), letter_member("one")), runner, "ours", "ensemble")
    assert team.answer(question(choices=["A) x", "B) x", "C) x", "D) x"]), LIMIT_S)["answer"] == "A"


@pytest.mark.parametrize(
    ("knows", "key", "status"),
    [
        ({"one": "Paris", "two": "Paris"}, "B", "agreed"),
        ({"one": "Paris", "two": "Paris"}, "A", "disputed"),
        ({"one": "Paris", "two": "Rome"}, "A", "unknown"),
    ],
)
def test_a_panel_agrees_disputes_or_cannot_tell(runner, knows, key, status):
    panel = answerer_on(ScriptedEngine(knows=knows), letter_member("one"), letter_member("two"))
    judge = PanelJudge(panel, "panel", runner)
    asked = CAPITAL.__class__(CAPITAL.text, CAPITAL.choices, "", "ABCD".index(key))
    view = judge.judge(asked, CAPITAL_ROW, None)
    assert view is not None
    assert (view.status, view.by) == (status, "panel")
    assert sum(view.probabilities or []) == pytest.approx(1)


def test_a_panel_of_which_nobody_votes_has_no_view(runner):
    panel = answerer_on(ScriptedEngine(failing={"one"}), letter_member("one"))
    assert PanelJudge(panel, "panel", runner).judge(CAPITAL, CAPITAL_ROW, None) is None


def test_a_panel_judges_after_the_answers_of_an_innings(tmp_path, runner):
    clock = FakeClock()
    judge = PanelJudge(answerer_on(ScriptedEngine(), letter_member("one")), "panel", runner)
    events = play(tmp_path / "log", clock, good_team(clock, 2), good_team(clock, 2), match_of(2), judges=[judge]).events
    kinds = [event.type for event in events if getattr(event, "innings", 0) == 1]
    assert kinds == [
        *["question_received"] * 2,
        "questions_filtered",
        *["keys_shown", "answer_received"] * 2,
        *["key_judged"] * 2,
        "innings_ended",
    ]
