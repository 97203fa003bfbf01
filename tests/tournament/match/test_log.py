"""The event log: whole lines, one writer, torn ends; and matches that go on from one."""

from __future__ import annotations

from pathlib import Path

import pytest
from agent_fakes import files_no_larger_than
from arena_fakes import FakeClock, ScriptedFolder, ScriptedTeam, good_team, match_of, on_time, play, question

from agents.core.errors import FileError
from tournament.match.events import InningsEnded
from tournament.match.log import EventLog, encode, new_log_path, read_log
from tournament.match.scoreboard import Innings, Scoreboard

EVENT = InningsEnded(at_s=1.5, innings=1)
LINE = encode(EVENT) + b"\n"


def test_events_come_back_as_they_were_written(tmp_path):
    with EventLog(tmp_path / "log") as log:
        log.append([EVENT, EVENT])
        log.sync()
    assert read_log(tmp_path / "log") == [EVENT, EVENT]


@pytest.mark.parametrize("cut", [1, 10, len(LINE) - 1])
def test_a_last_line_cut_off_is_left_out_and_written_over(tmp_path, cut):
    path = tmp_path / "log"
    path.write_bytes(LINE + LINE[:cut])
    assert read_log(path) == [EVENT]
    with EventLog(path) as log:
        assert log.events == [EVENT]
        log.append([EVENT])
    assert path.read_bytes() == LINE * 2


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"{]\n", "line 2: found text that is not JSON"),
        (b'{"v": 2}\n', "line 2: v: found int 2; expected 1, the version of events read here"),
        (b"7\n", "line 2: v: found null"),
        (b'{"v": 1, "type": "fanfare"}\n', "line 2: event"),
        (b'{"v": 1, "type": "innings_ended", "at_s": 0, "innings": "x"}\n', "line 2: innings_ended.innings"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, line, complaint):
    path = tmp_path / "log"
    path.write_bytes(LINE + line + LINE)
    with pytest.raises(FileError) as error:
        read_log(path)
    assert complaint in str(error.value)


def test_a_log_has_one_writer(tmp_path):
    with (
        EventLog(tmp_path / "log"),
        pytest.raises(FileError, match="the event log of a match that another process is writing"),
    ):
        EventLog(tmp_path / "log")


def test_a_file_that_is_no_log_stays_as_it_is(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(b"first note\nsecond note")
    with pytest.raises(FileError, match="line 1: found text that is not JSON"):
        EventLog(path)
    assert path.read_bytes() == b"first note\nsecond note"


def test_a_folder_is_no_log(tmp_path):
    with pytest.raises(FileError, match="expected a file that can be written"):
        EventLog(tmp_path)
    with pytest.raises(FileError, match="expected the event log of a match"):
        read_log(tmp_path / "nothing")


def test_a_match_cut_off_after_any_event_goes_on_and_asks_only_for_what_is_lost(tmp_path):
    plan = match_of(3, closed_set=[question(9)])
    clock = FakeClock()
    whole = play(tmp_path / "whole", clock, good_team(clock, 3), good_team(clock, 3), plan)
    lines = whole.path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 26
    for kept in range(len(lines)):
        path = tmp_path / f"cut{kept}"
        path.write_bytes(b"".join(lines[:kept]))
        before = Scoreboard.of(read_log(path))
        home, away = good_team(clock, 3), good_team(clock, 3)
        board = play(path, clock, home, away, plan).board
        assert len(home.asked) == unanswered_without_key(before.innings[1])
        assert len(away.asked) == unanswered_without_key(before.innings[2])
        assert len(away.seen) == 4 - len(before.innings[1].answers) - len(before.tie_break["away"])
        assert len(home.seen) == 4 - len(before.innings[2].answers) - len(before.tie_break["home"])
        assert board.ended == whole.board.ended
        assert Scoreboard.of(read_log(path)) == board
        assert [inn.right for inn in board.innings.values()] == [3, 3]


def unanswered_without_key(innings: Innings) -> int:
    """Of three questions, those that are not in a log, or whose keys are not although nobody has answered them."""
    known = {index for index, question in innings.questions.items() if not question.withheld}
    return len({0, 1, 2} - known - innings.answers.keys())


def test_a_log_holds_no_key_before_its_question_is_answered(tmp_path):
    secret = {"answer": "B", "explanation": "It is B.", "id": "made.by.7", "correct_answer": "B"}
    path = tmp_path / "log"
    clock = FakeClock()
    looked = []

    def look_and_answer(row):
        number = row["question"].split()[-1].rstrip("?")
        innings = Scoreboard.of(read_log(path)).innings[1]
        looked.append(number)
        for index, question_ in innings.questions.items():
            answered = index in innings.answers
            assert set(question_.row) == ({*question(), "id"} if answered else {"topic", "question", "choices"})
        assert b"It is B" not in path.read_bytes().splitlines()[int(number) + 1]
        return on_time({"answer": "B"})

    home = ScriptedTeam(clock, "home", [on_time({**question(i), **secret}) for i in range(3)], lambda _: on_time({}))
    away = ScriptedTeam(clock, "away", [on_time(question(i)) for i in range(3)], look_and_answer)
    board = play(path, clock, home, away, match_of(3)).board
    assert looked == ["0", "1", "2"]
    assert [board.innings[1].questions[i].row["id"] for i in range(3)] == ["made.by.7"] * 3
    assert Scoreboard.of(read_log(path)) == board


def test_the_keys_of_a_disqualified_team_are_shown_too(tmp_path):
    clock = FakeClock()
    home = ScriptedTeam(clock, "home", [on_time(question(0)), *[on_time({"answer": "B"})] * 3], lambda _: on_time({}))
    played = play(tmp_path / "log", clock, home, good_team(clock, 4), match_of(4))
    assert played.board.disqualified("home")
    assert Scoreboard.of(played.events).innings[1].questions[0].row["answer"] == "B"


def test_a_log_of_an_earlier_version_is_read(tmp_path):
    """Whole rows, and no event that shows keys: nothing is asked again."""
    clock = FakeClock()
    whole = play(tmp_path / "whole", clock, good_team(clock, 2), good_team(clock, 2), match_of(2))
    before = [e for e in whole.events if e.type != "keys_shown"]
    rows = whole.board.innings
    lines = []
    for event in before[:6]:
        if event.type == "question_received":
            event = event.model_copy(update={"row": rows[event.innings].questions[event.index].row, "withheld": False})
        lines.append(encode(event).replace(b', "withheld": false', b"") + b"\n")
    (tmp_path / "old").write_bytes(b"".join(lines))
    home = good_team(clock, 2)
    board = play(tmp_path / "old", clock, home, good_team(clock, 2), match_of(2)).board
    assert home.asked == []
    assert board.ended == whole.board.ended


def test_a_finished_match_is_only_read(tmp_path):
    clock = FakeClock()
    played = play(tmp_path / "log", clock, good_team(clock, 2), good_team(clock, 2), match_of(2))
    before = played.path.read_bytes()
    home = ScriptedTeam(clock, "good", [], [])
    again = play(tmp_path / "log", clock, home, good_team(clock, 2), match_of(2))
    assert again.board.ended == played.board.ended
    assert played.path.read_bytes() == before
    assert home.asked == []


def test_a_folder_cut_off_between_rows_is_run_for_the_missing_ones(tmp_path):
    clock = FakeClock()
    folder = ScriptedFolder(clock, [question(i) for i in range(3)], [{"answer": "B"}] * 3)
    played = play(tmp_path / "whole", clock, folder, good_team(clock, 3), match_of(3))
    lines = played.path.read_bytes().splitlines(keepends=True)
    (tmp_path / "cut").write_bytes(b"".join(lines[:3]))
    again = ScriptedFolder(clock, [question(i) for i in range(3)], [{"answer": "B"}] * 3)
    board = play(tmp_path / "cut", clock, again, good_team(clock, 3), match_of(3)).board
    # The key of the first is lost with the referee.
    assert again.asked_for == [3, 3]
    assert board.innings[1].valid == 3


def test_a_full_disk_is_one_sentence_and_leaves_whole_lines(tmp_path):
    with EventLog(tmp_path / "full") as log:
        log.append([EVENT])
        with files_no_larger_than(len(LINE) + 10), pytest.raises(FileError, match="room for the event log"):
            log.append([EVENT])
    assert read_log(tmp_path / "full") == [EVENT]


def test_team_text_is_not_taken_apart_by_line_separators(tmp_path):
    clock = FakeClock()
    home = ScriptedTeam(clock, "good", [on_time(question(0, question="a\u2028b\x85c\nd"))], good_team(clock, 0).answers)
    board = play(tmp_path / "log", clock, home, good_team(clock, 1), match_of(1)).board
    assert Scoreboard.of(read_log(tmp_path / "log")) == board


def test_a_new_log_has_a_name_that_is_safe_whatever_a_team_is_called():
    path = new_log_path(Path("matches"), "oct2025_aiac", "http://127.0.0.1:8000", "../../<x>")
    assert path.parent == Path("matches")
    assert path.name.endswith("-http-127-0-0-1-8000-x.jsonl")
