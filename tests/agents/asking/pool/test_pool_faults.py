"""A pool file that is locked, damaged, foreign or on a full disk; processes that race for it or are killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from agent_fakes import files_no_larger_than
from question_fakes import unproved

from agents.asking.pool.file import APPLICATION_ID, SCHEMA_VERSION
from agents.asking.pool.pool import PoolCount, QuestionPool
from agents.core.errors import FileError

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pool.sqlite"


def filled(path, number=3):
    pool = QuestionPool(path, capacity=1000)
    for each in range(number):
        pool.add(unproved(each))
    pool.close()


def error_of(action):
    with pytest.raises(FileError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def worker(path, command, start=0):
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("pool_worker.py")), str(path), command, str(start)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests" / "agents")))},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_file_that_is_no_database_is_named_and_left_alone(path):
    path.write_bytes(b"questions and answers " * 100)
    assert error_of(lambda: QuestionPool(path)) == (
        f"{path}: found a file that is no SQLite database; expected a pool of questions that this program wrote"
    )
    assert path.read_bytes() == b"questions and answers " * 100


def test_another_programs_database_is_left_alone(path):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE accounts (id)")
    db.close()
    assert "found the database of another program" in error_of(lambda: QuestionPool(path))


def test_a_pool_of_another_schema_is_left_alone(path):
    filled(path)
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    assert error_of(lambda: QuestionPool(path)) == (
        f"{path}: found schema version 2; expected version 1; move the file away"
    )


def test_a_damaged_pool_is_recognised(path):
    filled(path, 30)
    size = path.stat().st_size
    with path.open("r+b") as file:
        for page in range(4096, size, 4096):
            file.seek(page)
            file.write(b"\xff" * 512)
    assert "found a damaged SQLite database" in error_of(lambda: QuestionPool(path))


@pytest.mark.parametrize("column", ["question", "proof", "shingles"])
def test_a_row_that_this_program_did_not_write_is_an_error_and_stays(path, column):
    filled(path, 1)
    with sqlite3.connect(path) as db:
        db.execute(f"UPDATE questions SET {column} = 'xyz'")
    db.close()

    def use():
        pool = QuestionPool(path)
        try:
            pool.take("Trivia")
        finally:
            pool.close()

    assert "that cannot be read" in error_of(use)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT state FROM questions").fetchall() == [("waiting",)]
    db.close()


def test_a_locked_file_is_an_error_after_the_time_to_wait_and_works_again_afterwards(path):
    filled(path)
    pool = QuestionPool(path, busy_timeout_s=0.01)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for action in (lambda: pool.take("Trivia"), lambda: pool.add(unproved(9)), lambda: pool.serve(unproved(9))):
        assert "found a file that another process has locked" in error_of(action)
    assert pool.counts() == [PoolCount("Trivia", "easy", 3, 0)]
    other.execute("ROLLBACK")
    assert pool.take("Trivia") is not None
    pool.close()
    other.close()


def test_a_path_that_cannot_be_a_file_is_named(tmp_path):
    assert "found a path that cannot be opened" in error_of(lambda: QuestionPool(tmp_path))
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file") in error_of(lambda: QuestionPool(tmp_path / "file" / "pool.sqlite"))


def test_an_empty_file_becomes_a_pool(path):
    path.touch()
    filled(path)
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    db.close()


def test_on_a_full_disk_nothing_is_half_written_and_what_waits_is_there_afterwards(path):
    filled(path, 5)
    pool = QuestionPool(path)
    added = 5
    # 256 KiB above what is there: some questions fit.
    with files_no_larger_than(path.stat().st_size + (256 << 10)):
        with pytest.raises(FileError, match=r"found a disk that does not read or write|found a full disk"):
            while True:
                pool.add(unproved(added))
                added += 1
        assert added > 5
    pool.add(unproved(added))
    assert pool.counts() == [PoolCount("Trivia", "easy", added + 1, 0)]
    pool.close()


def test_a_database_at_its_largest_size_is_a_full_disk(path):
    filled(path, 5)
    pool = QuestionPool(path)
    # SQLite's own limit stands in for the disk's: the same error code, at a size of our choice.
    pool._file.db.execute("PRAGMA max_page_count = 1")
    assert "found a full disk" in error_of(lambda: [pool.add(unproved(number)) for number in range(5, 500)])
    pool._file.db.execute("PRAGMA max_page_count = 1000000")
    before = pool.counts()[0].waiting
    pool.add(unproved(777))
    assert pool.counts() == [PoolCount("Trivia", "easy", before + 1, 0)]
    pool.close()


def test_a_process_killed_in_the_middle_of_a_refill_leaves_a_sound_pool_and_nothing_comes_twice(path):
    process = worker(path, "fill")
    printed = [process.stdout.readline().strip() for _ in range(10)]
    process.send_signal(signal.SIGKILL)
    printed += [line.strip() for line in process.stdout if line.endswith("\n")]
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    pool = QuestionPool(path)
    for key in printed:
        assert pool.served(key) is not None
    [count] = pool.counts()
    # Of the questions added before, every one is either waiting or served.
    assert count.served - len(printed) in (0, 1)
    rest = []
    while (taken := pool.take("Trivia")) is not None:
        rest.append(taken.id)
    assert len(rest) == count.waiting >= 10
    assert not set(rest) & set(printed)
    assert len(set(rest) | set(printed)) == len(rest) + len(printed)
    pool.close()


def test_two_processes_that_drain_one_file_share_it_without_a_question_in_common(path):
    filled(path, 120)
    processes = [worker(path, "drain") for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(outputs[0]) + len(outputs[1]) == 120
    assert len(set(outputs[0]) | set(outputs[1])) == 120


def test_two_processes_may_make_the_file_at_the_same_time(path):
    processes = [worker(path, "drain") for _ in range(3)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    for process in processes:
        process.stdout.close()
    pool = QuestionPool(path)
    assert pool.counts() == []
    pool.close()
