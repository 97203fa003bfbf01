"""A file of JSON lines that is only appended to, whole up to its last complete line."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from agents.core.errors import FileError, file_errors
from agents.support.atomic_file import PRIVATE, kind_of


def complete_lines(data: bytes) -> list[bytes]:
    """Split ``data`` into lines without their ends. A last line without its end is left out: its writer was killed."""
    return data.split(b"\n")[:-1]


class JsonLinesFile:
    """A file open for appending, by one process at a time. Opening it removes a torn last line.

    ``holds`` names the contents in errors, such as "the event log of a match". Every line begins with ``begins``: a
    last line that begins otherwise was not torn by us, and its file is left as it is.
    """

    def __init__(self, path: Path, holds: str, begins: bytes = b"") -> None:
        """Open ``path``, or create it for its owner alone.

        Raises FileError, also for what is no such file, and while another process has it open for appending.
        """
        self.path = path
        self._holds = holds
        with file_errors(path, "a file that can be written"):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
        self._file = os.fdopen(handle, "a+b", buffering=0)
        try:
            if not stat.S_ISREG(mode := os.fstat(handle).st_mode):
                raise FileError(str(path), kind_of(mode), holds)
            self._lock()
            self._file.seek(0)
            data = self._file.read()
            self.lines = complete_lines(data)
            """The lines that it held when it was opened."""
            torn = data[data.rfind(b"\n") + 1 :]
            if not torn.startswith(begins[: len(torn)]):
                raise FileError(str(path), "a last line of another kind", holds)
            self._file.truncate(len(data) - len(torn))
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> JsonLinesFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, lines: Sequence[bytes]) -> None:
        """Write ``lines``, each without its end, in one call. Raises FileError and keeps none of them when it fails."""
        data = b"".join(line + b"\n" for line in lines)
        end = os.fstat(self._file.fileno()).st_size
        with file_errors(self.path, f"room for {self._holds}"):
            written = 0
            try:
                written = self._file.write(data)
            finally:
                if written != len(data):
                    self._file.truncate(end)
        if written != len(data):
            raise FileError(str(self.path), "no space left on device", f"room for {self._holds}")

    def sync(self) -> None:
        """Return when everything written is on the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FileError(
                str(self.path), f"{self._holds} that another process is writing", "a file of its own"
            ) from None
