"""A process that may be hostile: its time and its output bounded, its whole group ended."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from agents.core.deadline import Deadline

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


def run_bounded(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    limit_s: float,
    *,
    max_output_bytes: int = MAX_OUTPUT_BYTES,
) -> Finished:
    """Runs ``command`` in ``folder`` until it ends, its time is over, or it has written too much.

    With it ends every process of its group, also those it left behind. Raises OSError when it cannot be started.
    """
    deadline = Deadline.after(limit_s)
    process = subprocess.Popen(  # noqa: S603
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    output = _Output(process.pid, cast("IO[bytes]", process.stdout), max_output_bytes)
    try:
        stopped = output.follow(deadline)
    finally:
        # Before the process is waited for: until then its number, and so its group's, belongs to nobody else.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        output.close()
    return Finished(process.returncode, output.bytes, bytes(output.tail), stopped)


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
