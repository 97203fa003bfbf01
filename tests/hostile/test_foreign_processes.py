"""Submissions that look for secrets, leave the sandbox, outlive their run, or leave something behind."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from arena_fakes import FakeClock, good_team, match_of, play, question
from folder_scripts import READ_OPTIONS
from polling import until
from processes import running

from tournament.teams.confinement import LACKING, best_confinement
from tournament.teams.folder import FolderTeam
from tournament.teams.leftovers import remove_tree
from tournament.teams.process import run_bounded
from tournament.teams.sandbox import MAX_OPEN_FILES, Confinement, order_for, user_of

ROOT = Path(__file__).parents[2]
LIMIT_S = 30.0
PR_CAPBSET_DROP, CAP_SYS_ADMIN = 24, 21
SECRET = "hunter2-hunter2"
ROW = f"""
    def row(found):
        return {question()!r} | {{"explanation": json.dumps(found)}}
"""
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")


def reachable_python() -> str | None:
    """An interpreter that any user may run."""
    return "/usr/bin/python3" if Path("/usr/bin/python3").exists() else None


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users reach, which those of pytest are not."""
    folder = Path(tempfile.mkdtemp(prefix="hostile-"))
    folder.chmod(0o755)
    yield folder
    remove_tree(folder)


@pytest.fixture(params=["apart", "user", "none"])
def confinement(request, open_folder) -> Confinement:
    kind: Confinement = request.param
    if kind == "apart" and best_confinement(open_folder) != "apart":
        pytest.skip("this machine has no namespaces")
    if kind == "user" and (os.geteuid() != 0 or reachable_python() is None):
        pytest.skip("only root becomes another user, who needs an interpreter")
    return kind


def submission(at: Path, ask: str, confinement: Confinement) -> FolderTeam:
    (at / "agents").mkdir(parents=True)
    for name in ("__init__.py", "question_model.py", "answer_model.py"):
        (at / "agents" / name).touch()
    for name in ("question_agent.py", "answer_agent.py"):
        (at / "agents" / name).write_text(dedent(READ_OPTIONS) + dedent(ROW) + dedent(ask))
    # Not this one, which may find an installed agents package where a submission has none any more.
    return FolderTeam(at, python=reachable_python(), confinement=confinement)


def found_by(team: FolderTeam) -> Any:
    """The value that the submission puts into its row."""
    batch = team.ask_all(1, LIMIT_S)
    assert batch.rows, (batch.fault, batch.output_tail)
    return json.loads(batch.rows[0]["explanation"])


LOOK_EVERYWHERE = """
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        for name in ("environ", "cmdline"):
            try:
                found += [str(process / name)] * (b"SECRET" in (process / name).read_bytes())
            except OSError:
                pass
        try:
            for handle in (process / "fd").iterdir():
                found += [os.readlink(handle)] * os.readlink(handle).endswith("match.jsonl")
        except OSError:
            pass
    write([row(found)])
"""
REFEREE = """
    import json, sys
    from pathlib import Path
    from tournament.match.log import EventLog
    from tournament.teams.folder import FolderTeam
    import os
    with EventLog(Path(sys.argv[1])):
        team = FolderTeam(Path(sys.argv[2]), python=sys.argv[4] or None, confinement=sys.argv[3])
        print(json.dumps([team.ask_all(1, 60.0).rows, os.environ["AIAC_HOME_API_KEY"]]), flush=True)
"""


def start_referee(log: Path, team: Path, confinement: Confinement) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", dedent(REFEREE), str(log), str(team), confinement, reachable_python() or ""]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "AIAC_HOME_API_KEY": SECRET, "HF_TOKEN": SECRET}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)


def test_a_submission_finds_neither_keys_nor_the_open_log(open_folder, confinement):
    submission(open_folder / "team", LOOK_EVERYWHERE.replace("SECRET", SECRET), confinement)
    with start_referee(open_folder / "match.jsonl", open_folder / "team", confinement) as referee:
        rows, key = json.loads(referee.communicate(timeout=LIMIT_S)[0])
    assert json.loads(rows[0]["explanation"]) == []
    assert key == SECRET


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_referee_that_is_ended_takes_the_submission_with_it(open_folder, confinement, number):
    mark = ["sleep", f"3600.{int(number)}{os.getpid()}"]
    ask = f"""
    subprocess.Popen({mark!r}, start_new_session=True)
    time.sleep(3600)
    """
    submission(open_folder / "team", ask, confinement)
    with start_referee(open_folder / "match.jsonl", open_folder / "team", confinement) as referee:
        asyncio.run(until(lambda: bool(running(*mark)), guard_s=LIMIT_S, pause_s=0.02))
        referee.send_signal(number)
        assert referee.wait(LIMIT_S) == -number
    asyncio.run(until(lambda: not running(*mark), pause_s=0.02))


def test_what_leaves_its_session_ends_with_the_run(open_folder, confinement):
    mark = ["sleep", f"3601.{os.getpid()}"]
    ask = f"""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvp("sleep", {mark!r})
        os._exit(0)
    os.wait()
    write([row("done")])
    """
    assert found_by(submission(open_folder / "team", ask, confinement)) == "done"
    assert not running(*mark)


def test_a_submission_that_forks_without_end_is_ended(open_folder, confinement):
    mark = ["sleep", f"3602.{os.getpid()}"]
    ask = f"""
    for _ in range(150):
        subprocess.Popen({mark!r}, start_new_session=True)
    time.sleep(3600)
    """
    batch = submission(open_folder / "team", ask, confinement).ask_all(1, 2.0)
    assert batch.fault is not None
    assert batch.fault.detail == "the run was ended: its time was over"
    assert not running(*mark)


def test_a_command_is_held_to_its_limits(open_folder, confinement):
    ask = """
    import resource
    names = ("RLIMIT_NOFILE", "RLIMIT_CORE", "RLIMIT_FSIZE", "RLIMIT_DATA")
    found = {name: resource.getrlimit(getattr(resource, name)) for name in names}
    try:
        bytearray(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        found["memory"] = "given"
    except MemoryError:
        found["memory"] = "refused"
    found["oom"] = Path("/proc/self/oom_score_adj").read_text().strip()
    write([row(found)])
    """
    found = found_by(submission(open_folder / "team", ask, confinement))
    assert found["memory"] == "refused"
    assert found["oom"] == "1000"
    assert found["RLIMIT_CORE"] == [0, 0]
    assert found["RLIMIT_NOFILE"][1] <= MAX_OPEN_FILES
    assert all(hard >= 0 for _, hard in (found["RLIMIT_FSIZE"], found["RLIMIT_DATA"]))


def test_apart_there_is_no_network_no_other_process_and_nothing_to_write_to(open_folder, confinement):
    if confinement != "apart":
        pytest.skip("promised with namespaces alone")
    (open_folder / "match.jsonl").write_text("log")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ask = f"""
        import socket
        found = {{"processes": sum(p.name.isdigit() for p in Path("/proc").iterdir())}}
        for name, attempt in {{
            "network": lambda: socket.create_connection(("127.0.0.1", {listener.getsockname()[1]}), 5),
            "log": lambda: open({str(open_folder / "match.jsonl")!r}, "a"),
            "machine": lambda: open("/etc/hostile", "w"),
            "home": lambda: open({str(Path.home() / "hostile")!r}, "w"),
            "loopback": lambda: socket.create_server(("127.0.0.1", 0)).close(),
            "scratch": lambda: open("/tmp/mine", "w"),
            "folder": lambda: open("agents/mine", "w"),
        }}.items():
            try:
                attempt()
                found[name] = "done"
            except OSError as error:
                found[name] = "refused"
        write([row(found)])
        """
        found = found_by(submission(open_folder / "team", dedent(ask), confinement))
    assert found.pop("processes") == 2
    assert found == {
        **dict.fromkeys(("network", "log", "machine", "home"), "refused"),
        **dict.fromkeys(("loopback", "scratch", "folder"), "done"),
    }


@needs_root
@pytest.mark.parametrize("confinement", ["apart", "user"], indirect=True)
def test_a_root_referee_runs_submissions_as_another_user_and_keeps_the_files(open_folder, confinement):
    ask = """
    Path("made").touch()
    write([row([os.getuid(), os.getgid(), os.getgroups()])])
    """
    team = submission(open_folder / "team", ask, confinement)
    (open_folder / "weights").touch()
    os.link(open_folder / "weights", open_folder / "team" / "weights")
    (open_folder / "team" / "another's").touch()
    os.chown(open_folder / "team" / "another's", 12_345, 12_345)
    user = user_of(open_folder / "team")
    # A referee that was killed did not give the folder back.
    os.chown(open_folder / "team", user, user)
    os.chown(open_folder / "team" / "agents", user, user)
    assert found_by(team)[:2] == [user, user]
    assert user != user_of(open_folder / "other")
    assert {path.stat().st_uid for path in (open_folder / "team").rglob("*")} == {0, 12_345}
    assert (open_folder / "team" / "another's").stat().st_uid == 12_345


@needs_root
def test_a_referee_that_is_not_root_has_namespaces_too(open_folder):
    python = reachable_python()
    if python is None or best_confinement(open_folder) != "apart":
        pytest.skip("this machine has no namespaces, or no interpreter for everyone")
    open_folder.chmod(0o777)
    look = "import os; print(os.getuid(), sum(name.isdigit() for name in os.listdir('/proc')))"
    program = f"""
    import sys
    from pathlib import Path
    sys.path.insert(0, {str(ROOT)!r})
    try:
        from tournament.teams.process import run_bounded
        from tournament.teams.sandbox import order_for
    except Exception:
        sys.exit(77)
    folder = {str(open_folder)!r}
    print(run_bounded(order_for("apart", [sys.executable, "-c", {look!r}], Path(folder), folder, {{}}), 30.0))
    """
    ran = subprocess.run(
        [python, "-B", "-c", dedent(program)],
        user=65_534, group=65_534, extra_groups=[], cwd="/", env={}, capture_output=True, text=True, timeout=LIMIT_S,
    )  # fmt: skip
    if ran.returncode == 77:
        pytest.skip("no other user can import this project")
    assert "exit_code=0" in ran.stdout, ran
    assert "b'65534 2\\n'" in ran.stdout


LEFTOVERS = {
    "1,100 folders within each other": """
    for _ in range(1100):
        os.mkdir("d")
        os.chdir("d")
    """,
    "names of 250 characters": """
    for _ in range(30):
        os.mkdir("n" * 250)
        os.chdir("n" * 250)
    Path("f" * 250).touch()
    """,
    "a folder that nobody may enter": """
    os.makedirs("closed/inside")
    Path("closed/inside/file").touch()
    os.chmod("closed/inside", 0)
    os.chmod("closed", 0)
    """,
    "links and pipes": """
    os.symlink("/", "root")
    os.symlink("self", "self")
    os.mkfifo("pipe")
    os.mkdir(b"\\xff\\n")
    """,
}


@pytest.mark.parametrize("where", ["os.environ['HOME']", "'.'", "'outputs'"])
@pytest.mark.parametrize("leftover", LEFTOVERS)
def test_what_a_submission_leaves_behind_ends_no_match(open_folder, confinement, leftover, where):
    if confinement != best_confinement(open_folder):
        pytest.skip("leftovers are cleared away alike")
    ask = f"""
    here = os.getcwd()
    os.chdir({where})
    {LEFTOVERS[leftover].strip()}
    os.chdir(here)
    write([row("done")] if options.num_questions else [{{"answer": "B"}}])
    """
    before = set(Path(tempfile.gettempdir()).glob("arena-*"))
    team = submission(open_folder / "team", ask, confinement)
    clock = FakeClock()
    board = play(open_folder / "log", clock, team, good_team(clock, 1), match_of(1)).board
    assert board.ended is not None
    assert board.innings[1].valid == 1
    assert set(Path(tempfile.gettempdir()).glob("arena-*")) <= before


@pytest.mark.parametrize(
    "last_words",
    ["shutil.rmtree('.', ignore_errors=True)", "shutil.rmtree('outputs')", "os.rename('agents', 'gone')",
     "shutil.rmtree('outputs'); os.symlink('/etc', 'outputs')", "os.mkdir('outputs/answers.json')",
     "os.chmod('.', 0)", "os.mkdir('outputs/filtered_questions.json')"],
)  # fmt: skip
def test_a_submission_that_ruins_its_own_folder_loses_and_the_match_ends(open_folder, last_words):
    confinement = best_confinement(open_folder)
    ask = f"""
    import shutil
    write([row("done")] if options.num_questions else [{{"answer": "B"}}])
    {last_words}
    """
    team = submission(open_folder / "team", ask, confinement)
    clock = FakeClock()
    board = play(open_folder / "log", clock, team, good_team(clock, 1), match_of(1)).board
    assert board.ended is not None


def test_a_tree_of_any_depth_is_removed(tmp_path):
    top = tmp_path / "top"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(3_000):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    with pytest.raises((RecursionError, OSError)):
        shutil.rmtree(top)
    assert remove_tree(top)
    assert not top.exists()


def test_a_link_is_not_followed_when_a_tree_is_removed(tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "file").touch()
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "link").symlink_to(tmp_path / "theirs")
    (tmp_path / "top" / "file").symlink_to(tmp_path / "theirs" / "file")
    assert remove_tree(tmp_path / "top")
    assert (tmp_path / "theirs" / "file").exists()


def test_where_no_sandbox_can_be_had_one_line_says_so():
    assert LACKING["apart"] == ""
    for kind in ("user", "none"):
        line = LACKING[kind].format(name="them")
        assert line.count("\n") == 0
        assert "them" in line


def without_namespaces() -> None:
    """In a child before it starts: root is kept from what namespaces need, as it is in most containers."""
    assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0) == 0


@needs_root
@pytest.mark.parametrize("command", ["play", "doctor"])
def test_a_command_says_in_one_line_what_its_sandbox_lacks(open_folder, word_counter, command):
    submission(open_folder / "team", "write([row(1)] if options.num_questions else [{'answer': 'B'}])", "none")
    arguments = {
        "play": ["--home", "team", "--away", "always-a", "--questions", "1", "--log", "log.jsonl"],
        "doctor": ["team", "--sizes", "1", "--json"],
    }
    ran = subprocess.run(
        [sys.executable, "-m", "aiac", command, *arguments[command], "--tokenizer", word_counter],
        cwd=open_folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        preexec_fn=without_namespaces,
    )
    said = [line for line in ran.stdout.splitlines() if "sandbox" in line]
    assert any(LACKING[kind].format(name="team") in line for line in said for kind in ("user", "none")), ran


@needs_root
def test_another_user_is_only_taken_where_it_reaches_the_folder(open_folder):
    python = reachable_python()
    if python is None:
        pytest.skip("no interpreter for everyone")
    for name in ("closed", "open"):
        (open_folder / name / "team").mkdir(parents=True)
    (open_folder / "closed").chmod(0o700)
    program = f"""
    import sys
    from pathlib import Path
    sys.path.insert(0, {str(ROOT)!r})
    from tournament.teams.confinement import best_confinement
    print(*[best_confinement(Path({str(open_folder)!r}) / name / "team") for name in ("closed", "open")])
    """
    ran = subprocess.run(
        [python, "-B", "-c", dedent(program)],
        capture_output=True, text=True, timeout=LIMIT_S, preexec_fn=without_namespaces,
    )  # fmt: skip
    assert ran.stdout == "none user\n", ran


def test_a_warden_that_is_killed_takes_the_command_with_it(open_folder, confinement):
    """Whoever kills it (the machine, for want of memory): the command does not go on unwatched."""
    mark = ["sleep", f"3603.{os.getpid()}"]
    shell = shutil.which("sleep")
    assert shell is not None
    order = order_for(confinement, [shell, mark[1]], open_folder, str(open_folder), {})
    program = f"""
    import json, subprocess, sys
    sys.path.insert(0, {str(ROOT)!r})
    from tournament.teams.process import WARDEN
    process = subprocess.Popen([sys.executable, "-I", "-S", str(WARDEN), "1"], stdin=subprocess.PIPE)
    process.stdin.write(json.dumps({order.to_json()!r}).encode() + b"\\n")
    process.stdin.flush()
    sys.stdin.readline()
    process.kill()
    process.wait()
    """
    with subprocess.Popen([sys.executable, "-c", dedent(program)], stdin=subprocess.PIPE) as referee:
        asyncio.run(until(lambda: bool(running(shell, mark[1])), guard_s=LIMIT_S, pause_s=0.02))
        referee.communicate(b"\n", timeout=LIMIT_S)
    asyncio.run(until(lambda: not running(shell, mark[1]), pause_s=0.02))


def test_a_command_that_does_not_start_is_an_error_with_its_name(open_folder, confinement):
    order = order_for(confinement, ["/nowhere/python"], open_folder, str(open_folder), {})
    with pytest.raises(FileNotFoundError) as error:
        run_bounded(order, LIMIT_S)
    assert error.value.filename == "/nowhere/python"
