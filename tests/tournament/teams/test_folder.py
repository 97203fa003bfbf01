"""A submission folder as a team: run as the organisers run it, and whatever it does, contained."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from arena_fakes import FakeClock, good_team, match_of, play, question
from folder_scripts import READ_OPTIONS
from processes import running

from agents.core.errors import FileError
from tournament.teams.folder import FolderTeam, clean_environment
from tournament.teams.listing import changes, list_folder
from tournament.teams.process import MAX_OUTPUT_BYTES, run_bounded
from tournament.teams.sandbox import Order

LIMIT_S = 60.0
ASK = f"""
    rows = []
    for i in range(options.num_questions):
        rows.append({question()!r} | {{"question": f"Which is number {{i}}?"}})
    write(rows)
"""
ANSWER = """
    write([{"answer": "B", "reasoning": q["question"]} for q in json.loads(Path(options.input_file).read_text())])
"""


def folder(at: Path, *, ask: str = ASK, answer: str = ANSWER) -> Path:
    """A submission whose two agents do this."""
    agents = at / "agents"
    agents.mkdir(parents=True)
    (agents / "__init__.py").touch()
    (agents / "question_agent.py").write_text(dedent(READ_OPTIONS) + dedent(ask))
    (agents / "answer_agent.py").write_text(dedent(READ_OPTIONS) + dedent(answer))
    return at


def test_questions_and_answers_come_by_the_two_command_lines(tmp_path):
    team = FolderTeam(folder(tmp_path / "team"))
    asked = team.ask_all(3, LIMIT_S)
    assert [row["question"] for row in asked.rows] == [f"Which is number {i}?" for i in range(3)]
    assert (asked.exit_code, asked.fault, list(asked.notes)) == (0, None, [])
    answered = team.answer_all([{"topic": "t", "question": "q", "choices": ["A) x"]}], LIMIT_S)
    assert answered.rows == [{"answer": "B", "reasoning": "q"}]
    assert team.entry.name == "team"


def test_a_match_between_a_folder_and_another_team(tmp_path):
    clock = FakeClock()
    team = FolderTeam(folder(tmp_path / "team"))
    board = play(tmp_path / "log", clock, team, good_team(clock, 2), match_of(2)).board
    assert board.innings[1].valid == 2
    assert (board.score("home"), board.score("away")) == (100, 100)


def test_a_run_sees_no_secret_and_not_the_home_of_its_user(tmp_path):
    secrets = {"PATH": "/bin", "HOME": "/home/me", "AIAC_API_KEY": "s", "HF_TOKEN": "s", "AWS_SECRET": "s"}
    seen = clean_environment(secrets, "/tmp/throwaway")
    assert "s" not in seen.values()
    assert seen["HOME"] == "/tmp/throwaway"
    assert seen["HF_HUB_CACHE"] == "/home/me/.cache/huggingface/hub"
    script = "write([dict(os.environ)] if options.num_questions else [])"
    row = FolderTeam(folder(tmp_path / "team", ask=script)).ask_all(1, LIMIT_S).rows[0]
    assert set(row) <= {*clean_environment(os.environ, ""), "LC_CTYPE"}


@pytest.mark.parametrize(
    ("ask", "kind", "words"),
    [
        ("raise SystemExit(3)", "crashed", "exit code 3 without outputs/questions.json"),
        ("1 / 0", "crashed", "its last words: ZeroDivisionError: division by zero"),
        ("os.kill(os.getpid(), 11)", "crashed", "exit code -11"),
        ("pass", "missing", "exit code 0 without outputs/questions.json"),
        ("Path(options.output_file).write_text('<html>')", "not JSON", "outputs/questions.json"),
        ("Path(options.output_file).write_text('{}')", "not JSON", "outputs/questions.json is no list"),
        ("write('x' * 1_000_000)", "too large", "1,000,002 bytes; at most 131,072 are read"),
        ("os.symlink('/etc/passwd', options.output_file)", "not JSON", "outputs/questions.json"),
        ("os.mkfifo(options.output_file)", "not JSON", "not a plain file"),
        ("while True: print('x' * 65536)", "killed", f"it wrote more than {MAX_OUTPUT_BYTES:,} bytes to stdout"),
    ],
)
def test_whatever_a_run_does_is_a_fault_with_a_reason(tmp_path, ask, kind, words):
    batch = FolderTeam(folder(tmp_path / "team", ask=ask)).ask_all(1, LIMIT_S)
    assert list(batch.rows) == []
    assert batch.fault is not None
    assert batch.fault.kind == kind
    assert words in batch.fault.detail
    assert len(batch.output_tail) <= 4_000


def test_a_run_that_hangs_is_ended_with_everything_it_started(tmp_path):
    ask = """
        child = subprocess.Popen(["sleep", "1000.1"])
        Path("outputs/child").write_text("started")
        time.sleep(1000)
    """
    team = FolderTeam(folder(tmp_path / "team", ask=ask))
    batch = team.ask_all(1, 1.0)
    assert batch.fault is not None
    assert batch.fault.detail == "the run was ended: its time was over"
    assert (tmp_path / "team/outputs/child").exists()
    assert not running("sleep", "1000.1")


def test_what_a_run_leaves_behind_is_ended_and_does_not_hold_up_the_match(tmp_path):
    ask = (
        ASK
        + """
    child = subprocess.Popen(["sleep", "1000.2"])
"""
    )
    batch = FolderTeam(folder(tmp_path / "team", ask=ask)).ask_all(2, LIMIT_S)
    assert len(batch.rows) == 2
    assert not running("sleep", "1000.2")


def test_writing_outside_outputs_is_noted(tmp_path):
    ask = (
        ASK
        + """
    Path("agents/answer_agent.py").write_text("# changed")
    Path("secret_stash").mkdir()
    Path("secret_stash/file").touch()
    Path("yaml.yaml").unlink()
"""
    )
    team = folder(tmp_path / "team", ask=ask)
    (team / "yaml.yaml").touch()
    batch = FolderTeam(team).ask_all(1, LIMIT_S)
    assert list(batch.notes) == [
        "made secret_stash, secret_stash/file, outside outputs/",
        "wrote to agents/answer_agent.py, outside outputs/",
        "removed yaml.yaml, outside outputs/",
    ]
    assert len(batch.rows) == 1


def test_an_output_of_an_earlier_run_does_not_pass_for_this_one(tmp_path):
    team = folder(tmp_path / "team", ask="pass")
    (team / "outputs").mkdir()
    (team / "outputs/questions.json").write_text(json.dumps([question()]))
    batch = FolderTeam(team).ask_all(1, LIMIT_S)
    assert batch.fault is not None
    assert batch.fault.kind == "missing"


def test_an_outputs_that_is_a_link_is_refused(tmp_path):
    team = folder(tmp_path / "team")
    (tmp_path / "elsewhere").mkdir()
    (team / "outputs").symlink_to(tmp_path / "elsewhere")
    batch = FolderTeam(team).ask_all(1, LIMIT_S)
    assert batch.fault is not None
    assert "found a link; expected a folder" in batch.fault.detail
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_more_rows_than_wanted_are_left_out_and_an_odd_exit_is_noted(tmp_path):
    ask = f"write([{question()!r}] * 3); raise SystemExit(1)"
    batch = FolderTeam(folder(tmp_path / "team", ask=ask)).ask_all(2, LIMIT_S)
    assert len(batch.rows) == 2
    assert list(batch.notes) == [
        "it wrote its file and ended with exit code 1",
        "it gave 3 rows where 2 were wanted; the first 2 count",
    ]


def test_its_own_interpreter_is_used_where_there_is_one(tmp_path):
    team = folder(tmp_path / "team", ask="write([sys.argv[0]])")
    own = team / ".venv" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.write_text(
        f"#!/bin/sh\nprintf '[\"own interpreter\"]' > outputs/questions.json\nexec {sys.executable} -c pass\n"
    )
    own.chmod(0o755)
    assert FolderTeam(team).ask_all(1, LIMIT_S).rows == ["own interpreter"]


def test_an_interpreter_that_does_not_start_is_a_fault(tmp_path):
    batch = FolderTeam(folder(tmp_path / "team"), python="/nowhere/python").ask_all(1, LIMIT_S)
    assert batch.fault is not None
    assert batch.fault.detail == "/nowhere/python does not start: no such file or directory"


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_what_is_no_submission_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match="expected a submission folder"):
        FolderTeam(tmp_path / name)


def test_a_listing_names_a_few_paths_and_counts_the_rest(tmp_path):
    before = list_folder(tmp_path, without="outputs")
    for i in range(7):
        (tmp_path / f"file{i}").touch()
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "x").touch()
    found = changes(before, list_folder(tmp_path, without="outputs"))
    assert found == ["made file0, file1, file2, file3, file4 and 2 more, outside outputs/"]


def test_only_the_end_of_the_output_is_kept(tmp_path):
    command = [sys.executable, "-c", "print('x' * 100_000); print('the end')"]
    finished = run_bounded(Order(command, str(tmp_path), {}), LIMIT_S)
    assert finished.output_bytes == 100_009
    assert finished.tail.endswith(b"x\nthe end\n")
    assert len(finished.tail) == 4_000
