"""An engine process that does not become ready is ended in time, and nothing else is."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from agents.core.errors import EngineError
from agents.engines.vllm.start import ENGINE_NICENESS, PROCESS_NAME, end_engines, engines_give_way, ready_within

GUARD_SECONDS = 60.0
Start = Callable[[str], BaseProcess]


def ignore_requests_to_end() -> None:
    """Runs in a process: an engine in the middle of a kernel."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        signal.pause()


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts processes that never end by themselves."""
    started: list[BaseProcess] = []

    def one(name: str) -> BaseProcess:
        process = multiprocessing.get_context("spawn").Process(target=signal.pause, name=name)
        process.start()
        started.append(process)
        return process

    yield one
    for process in started:
        process.kill()
        process.join()


def test_an_engine_that_is_late_is_killed_and_said_to_be_late(start: Start) -> None:
    other_engine = start(PROCESS_NAME)
    with pytest.raises(EngineError, match=r"^not ready within 0\.1 s \(AIAC_V"), ready_within(0.1):
        pool = start("pool")
        late = start(f"{PROCESS_NAME}_DP0")
        late.join(GUARD_SECONDS)
        raise RuntimeError("what vLLM says when its process has gone")
    assert late.exitcode == -signal.SIGKILL
    assert pool.is_alive()
    assert other_engine.is_alive()


def test_an_engine_that_is_ready_in_time_is_let_be(start: Start) -> None:
    with ready_within(GUARD_SECONDS):
        engine = start(PROCESS_NAME)
    assert engine.is_alive()


def test_what_vllm_raises_in_time_stays_what_it_is() -> None:
    with pytest.raises(ValueError, match="no such dtype"), ready_within(GUARD_SECONDS):
        raise ValueError("no such dtype")


def test_engine_processes_stand_behind_this_one_and_others_do_not(start: Start) -> None:
    engine, pool = start(f"{PROCESS_NAME}_DP0"), start("pool")
    own = os.getpriority(os.PRIO_PROCESS, 0)
    engines_give_way()
    assert engine.pid is not None
    assert pool.pid is not None
    assert os.getpriority(os.PRIO_PROCESS, engine.pid) == max(own, ENGINE_NICENESS)
    assert os.getpriority(os.PRIO_PROCESS, pool.pid) == os.getpriority(os.PRIO_PROCESS, 0) == own


def test_engines_are_ended_and_nothing_else(start: Start) -> None:
    engine, pool = start(f"{PROCESS_NAME}_DP0"), start("pool")
    end_engines(GUARD_SECONDS)
    engine.join(GUARD_SECONDS)
    assert engine.exitcode == -signal.SIGTERM
    assert pool.is_alive()


def test_an_engine_that_does_not_end_is_killed_after_its_time() -> None:
    deaf = multiprocessing.get_context("spawn").Process(target=ignore_requests_to_end, name=PROCESS_NAME)
    deaf.start()
    assert deaf.pid is not None
    until_ignored(deaf.pid)
    end_engines(0.1)
    deaf.join(GUARD_SECONDS)
    assert deaf.exitcode == -signal.SIGKILL


def until_ignored(pid: int) -> None:
    """Until the process has its handler: the kernel's list of ignored signals has the bit of SIGTERM."""
    bit = 1 << (signal.SIGTERM - 1)
    end = time.monotonic() + GUARD_SECONDS
    while time.monotonic() < end:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        ignored = next(line for line in status.splitlines() if line.startswith("SigIgn:"))
        if int(ignored.split()[1], 16) & bit:
            return
    raise AssertionError("the process did not start")
