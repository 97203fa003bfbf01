"""A process that may be hostile: in a sandbox, its time and its output bounded, all that it started ended."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from agents.core.deadline import Deadline
from tournament.teams.sandbox import Order, hide_secrets

WARDEN = Path(__file__).with_name("warden.py")
KILL_S = 10.0
"""Bounds the wait for everything to be killed; it takes milliseconds unless the machine is out of memory."""
READ_BYTES = 65_536
MAX_OUTPUT_BYTES = 16 * 1024 * 1024
"""Of stdout and stderr together; a process that writes more is ended."""
TAIL_BYTES = 4_000
"""Kept of the output: its end."""


@dataclass(frozen=True)
class Finished:
    """How a process ended. ``stopped`` says why it was ended from here; None when it ended by itself."""

    exit_code: int
    """Negative: the number of the signal that ended it."""
    output_bytes: int
    tail: bytes
    stopped: str | None


def run_bounded(order: Order, limit_s: float, *, max_output_bytes: int = MAX_OUTPUT_BYTES) -> Finished:
    """Run a command until it ends, its time is over, or it has written too much.

    Everything that it started ends with it, and with this process. Raises OSError when it cannot be started.
    """
    hide_secrets()
    deadline = Deadline.after(limit_s)
    told, status = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", str(WARDEN), str(status)],
            cwd="/",
            env={},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[status],
            start_new_session=True,
        )
    except BaseException:
        os.close(told)
        raise
    finally:
        os.close(status)
    output = _Output(process.pid, cast("IO[bytes]", process.stdout), max_output_bytes)
    lifeline = cast("IO[bytes]", process.stdin)
    with open(told, "rb") as report:  # noqa: PTH123 - a pipe has no path
        try:
            with suppress(BrokenPipeError):
                lifeline.write(json.dumps(order.to_json()).encode() + b"\n")
                lifeline.flush()
            stopped = output.follow(deadline)
        finally:
            with suppress(BrokenPipeError):
                lifeline.close()
            try:
                process.wait(KILL_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            output.close()
        ended = _ended(report.readline())
    return Finished(ended, output.bytes, bytes(output.tail), stopped)


def _ended(line: bytes) -> int:
    """The exit code that the warden tells. Raises OSError for a command that was not started."""
    told = json.loads(line) if line.endswith(b"\n") else {"exit": -signal.SIGKILL}
    if "error" in told:
        raise OSError(told["errno"], os.strerror(told["errno"]), told["error"])
    return int(told["exit"])


class _Output:
    """What a process writes, counted, and only its end kept."""

    def __init__(self, pid: int, pipe: IO[bytes], max_bytes: int) -> None:
        self.bytes = 0
        self.tail = bytearray()
        self._max_bytes = max_bytes
        self._pipe = pipe
        # The end of the pipe does not tell the end of the process: what it left running may hold the pipe open.
        self._ended = os.pidfd_open(pid)

    def follow(self, deadline: Deadline) -> str | None:
        """Returns when the process has ended by itself, or the reason to end it."""
        os.set_blocking(self._pipe.fileno(), False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._ended, selectors.EVENT_READ)
            selector.register(self._pipe, selectors.EVENT_READ)
            while not deadline.expired:
                ready = {key.fileobj for key, _ in selector.select(deadline.remaining_s())}
                if self._pipe in ready and not self._read():
                    selector.unregister(self._pipe)
                if self.bytes > self._max_bytes:
                    return f"it wrote more than {self._max_bytes:,} bytes to stdout"
                if self._ended in ready:
                    while self.bytes <= self._max_bytes and self._read():
                        pass
                    return None
        return "its time was over"

    def close(self) -> None:
        self._pipe.close()
        os.close(self._ended)

    def _read(self) -> bool:
        """Whether there was anything to read."""
        try:
            data = os.read(self._pipe.fileno(), READ_BYTES)
        except BlockingIOError:
            return False
        self.bytes += len(data)
        self.tail = (self.tail + data)[-TAIL_BYTES:]
        return bool(data)
