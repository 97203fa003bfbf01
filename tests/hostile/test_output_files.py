"""Outputs replace regular files only, never one that is read, and are refused before the work."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agents.answer_agent import main as answer_main
from agents.asking.pool.file import PoolFile
from agents.core.errors import FileError
from agents.question_agent import main as question_main
from agents.support.atomic_file import require_writable, write_whole
from agents.support.atomic_folder import staged_folder
from agents.support.json_lines import JsonLinesFile
from aiac.commands.answer import app as answer_app
from aiac.commands.play import app as play_app
from aiac.commands.validate import app as validate_app
from tournament.match.log import EventLog

ROWS = [{"question": "2 + 2?", "choices": ["A) 3", "B) 4", "C) 5", "D) 6"], "answer": "B"}]
LONGEST_NAME = "n" * 251 + ".txt"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    file = tmp_path / "questions.json"
    file.write_text(json.dumps(ROWS), encoding="utf-8")
    return file


def test_a_device_is_refused_and_stays_a_device() -> None:
    for write in (require_writable, lambda path: write_whole(path, "x")):
        with pytest.raises(FileError, match=r"found (a device; expected the path of a file|permission denied)"):
            write(Path("/dev/null"))
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_pipe_a_socket_and_a_folder_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        for write in (require_writable, lambda path: write_whole(path, "x")):
            with pytest.raises(FileError, match=f"{name}: found a {name}; expected the path of a file"):
                write(tmp_path / name)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "below" / "real.json", tmp_path / "link.json"
    link.symlink_to(target)
    for text in ("first", "second"):
        write_whole(link, text)
        assert (link.is_symlink(), target.read_text()) == (True, text)
    assert contents(target.parent) == {"real.json": b"second"}


def test_a_link_to_itself_is_one_sentence(tmp_path: Path) -> None:
    link = tmp_path / "loop"
    link.symlink_to(link)
    with pytest.raises(FileError, match="loop"):
        require_writable(link)


def test_a_private_file_stays_private(tmp_path: Path) -> None:
    file = tmp_path / "answers.json"
    file.write_text("old")
    file.chmod(0o600)
    write_whole(file, "new")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o600)


def test_the_longest_name_is_written_and_a_longer_one_is_refused_before_the_work(tmp_path: Path) -> None:
    write_whole(tmp_path / "new" / LONGEST_NAME, "x")
    assert contents(tmp_path / "new") == {LONGEST_NAME: b"x"}
    for folder in ("new", "other"):
        with pytest.raises(FileError, match="found file name too long"):
            require_writable(tmp_path / folder / ("n" + LONGEST_NAME))
    with pytest.raises(FileError, match="found file name too long"), staged_folder(tmp_path / ("n" + LONGEST_NAME)):
        pytest.fail("the work began")
    with staged_folder(tmp_path / ("f" * 255)) as folder:
        (folder / "x").touch()
    assert (tmp_path / ("f" * 255) / "x").is_file()


def test_an_output_that_is_an_input_is_refused_under_every_spelling(tmp_path: Path) -> None:
    source = tmp_path / "in.json"
    source.write_text("precious")
    (tmp_path / "link").symlink_to(source)
    os.link(source, tmp_path / "hard")
    (tmp_path / "sub").mkdir()
    for name in ("in.json", "link", "hard", "sub/../in.json"):
        with pytest.raises(FileError, match="found a file that is read under this or another name"):
            require_writable(tmp_path / name, inputs=[source])
    with pytest.raises(FileError, match="found another output under this or another name"):
        require_writable(tmp_path / "new", tmp_path / "sub" / ".." / "new")
    assert source.read_text() == "precious"


def test_a_folder_takes_no_files_place_and_follows_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with (
        pytest.raises(FileError, match="found a file; expected the path of a folder"),
        staged_folder(tmp_path / "file"),
    ):
        pytest.fail("the work began")
    with staged_folder(tmp_path / "link") as folder:
        (folder / "x").touch()
    assert (tmp_path / "file").read_text() == "precious"
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "x").is_file()


def test_the_organisers_commands_refuse_to_write_over_their_input(
    questions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(questions.parent)
    inside = questions.with_name("filtered_questions.json")
    inside.write_text(json.dumps(ROWS))
    for source, target in ((questions, questions), (inside, questions)):
        assert answer_main(["--input_file", str(source), "--output_file", str(target)]) == 2
        assert "found a file that is read under this or another name" in capsys.readouterr().err
    inside.unlink()
    assert contents(questions.parent) == before


def test_the_two_outputs_of_the_organisers_commands_are_two_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "filtered_q.json").symlink_to(tmp_path / "q.json")
    assert question_main(["--output_file", "q.json", "--num_questions", "1"]) == 2
    assert "filtered_q.json: found another output under this or another name" in capsys.readouterr().err
    (tmp_path / "assets").mkdir()
    topics = tmp_path / "assets" / "topics.json"
    topics.write_text('["Seating"]')
    assert question_main(["--output_file", "assets/../assets/topics.json"]) == 2
    assert topics.read_text() == '["Seating"]'


@pytest.mark.parametrize("name", ["n" * 251 + ".json", "/dev/null"])
def test_a_name_that_fits_without_its_filtered_copy_is_refused_before_a_model_is_opened(
    questions: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = questions.parent / ("n" * 245 + ".json") if name != "/dev/null" else Path(name)
    assert answer_main(["--input_file", str(questions), "--output_file", str(output)]) == 2
    assert contents(questions.parent) == {"questions.json": questions.read_bytes()}
    assert "answer_agent: " in capsys.readouterr().err


def error_of(app: object, *arguments: object) -> str:
    found = CliRunner().invoke(app, [str(each) for each in arguments])  # type: ignore[arg-type]
    assert isinstance(found.exception, FileError), found.output
    return str(found.exception)


def test_aiac_refuses_outputs_that_are_inputs_before_it_opens_anything(questions: Path) -> None:
    before = contents(questions.parent)
    again = questions.parent / "." / "questions.json"
    assert "a file that is read" in error_of(answer_app, questions, "--output", again)
    assert "a file that is read" in error_of(validate_app, questions, "--json", again)
    match = ["play", "--home", questions, "--away", "always-a"]
    for option in ("--report", "--json", "--log"):
        assert "a file that is read" in error_of(play_app, *match, option, again)
    assert "a file that is read" in error_of(
        play_app, "play", "--home", "random", "--away", "random", "--tie-break", questions, "--json", again
    )
    new = questions.parent / "new"
    assert "another output" in error_of(play_app, *match, "--report", new, "--json", new)
    assert "another output" in error_of(play_app, *match, "--log", new, "--json", new)
    assert contents(questions.parent) == before


def test_a_report_never_overwrites_its_log(tmp_path: Path) -> None:
    log = tmp_path / "match.jsonl"
    log.write_bytes(b"")
    (tmp_path / "link.html").symlink_to(log)
    (tmp_path / "sub").mkdir()
    for target in (log, tmp_path / "link.html", tmp_path / "sub" / ".." / "match.jsonl"):
        assert "a file that is read" in error_of(play_app, "report", log, "--output", target)
    named_html = tmp_path / "match.html"
    named_html.write_bytes(b"")
    assert "a file that is read" in error_of(play_app, "report", named_html)


@pytest.mark.parametrize(
    "precious",
    [
        b"a diary without a line end",
        b'{"questions": []}',
        b"\x00\x01binary",
        b"lines\nof a diary\n",
        b'{"v": 2}\n',
        b"{",
    ],
)
def test_a_log_that_is_no_log_is_left_as_it_is(tmp_path: Path, precious: bytes) -> None:
    file = tmp_path / "diary.txt"
    file.write_bytes(precious)
    if precious == b"{":
        # This much of an event can be written when the power goes.
        EventLog(file).close()
        return
    with pytest.raises(FileError, match=r"diary\.txt"):
        EventLog(file)
    assert file.read_bytes() == precious


def test_a_log_that_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, found in ((tmp_path / "pipe", "a pipe"), (Path("/dev/null"), "a device")):
        with pytest.raises(FileError, match=f"found {found}"):
            JsonLinesFile(path, "a log")


def test_the_pool_and_logs_are_for_their_owner_alone(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; os.umask(0);"
        "from agents.asking.pool.file import PoolFile; from tournament.match.log import EventLog;"
        "pool = PoolFile(Path('pool/questions.sqlite'));"
        "pool.db.execute('PRAGMA user_version = 1'); EventLog(Path('match.jsonl')).close();"
        "files = [*Path('pool').iterdir(), Path('match.jsonl')];"
        "print(*(f'{file} {file.stat().st_mode & 0o777:o}' for file in files), sep='\\n')"
    )
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    modes = dict(line.split() for line in run.stdout.splitlines())
    assert modes.keys() >= {"pool/questions.sqlite", "match.jsonl"}, run.stderr
    assert set(modes.values()) == {"600"}


def test_a_pool_that_is_opened_twice_keeps_its_locks(tmp_path: Path) -> None:
    first, second = PoolFile(tmp_path / "pool"), PoolFile(tmp_path / "pool", busy_timeout_s=0.0)
    with first.transaction(), pytest.raises(FileError, match="another process has locked"), second.transaction():
        pytest.fail("both hold the file")
    first.close()
    second.close()
