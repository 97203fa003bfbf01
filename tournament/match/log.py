"""The event log of a match: JSON lines, only ever appended to, whole up to its last complete line."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError

from agents.core.errors import FileError, describe
from tournament.match.events import EVENT, VERSION, Event


def encode(event: Event) -> bytes:
    """One line. In ASCII: a lone surrogate out of a team's row has no other spelling that can be read back."""
    return json.dumps(event.model_dump(), ensure_ascii=True, allow_nan=False).encode() + b"\n"


def read_log(path: Path) -> list[Event]:
    """The events of a log. A last line that is cut off is left out: its writer was killed.

    Raises FileError when it cannot be read, or when any other line is not an event of this version.
    """
    try:
        with path.open("rb") as file:
            return list(_events(path, file.read()))
    except OSError as error:
        raise FileError(str(path), str(error.strerror).lower(), "the event log of a match") from None


def _events(path: Path, contents: bytes) -> Iterator[Event]:
    for number, line in enumerate(contents[: contents.rfind(b"\n") + 1].splitlines(), start=1):
        yield _event(f"{path}: line {number}", line)


def _event(place: str, line: bytes) -> Event:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise FileError(place, "text that is not JSON", "an event of a match") from None
    version = value.get("v") if isinstance(value, dict) else None
    if version != VERSION:
        raise FileError(f"{place}: v", describe(version), f"{VERSION}, the version of events read here")
    try:
        return EVENT.validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "event"
        raise FileError(f"{place}: {field}", describe(first["input"]), first["msg"]) from None


class EventLog:
    """A log open for writing, and what it already held. One process writes to a log at a time."""

    def __init__(self, path: Path) -> None:
        """Opens ``path`` or makes it. Raises FileError when it cannot be, is being written to, or holds no events."""
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b", buffering=0)
        except OSError as error:
            raise FileError(str(path), str(error.strerror).lower(), "a file that can be written") from None
        try:
            self._lock()
            self._file.seek(0)
            contents = self._file.read()
            self.events = list(_events(path, contents))
            # The next event must not join on to what a killed writer left behind.
            self._file.truncate(contents.rfind(b"\n") + 1)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> EventLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, events: Sequence[Event]) -> None:
        """Writes ``events`` in one go and hands them to the operating system. Raises FileError, with none kept."""
        data = b"".join(map(encode, events))
        end = os.fstat(self._file.fileno()).st_size
        try:
            written = self._file.write(data)
        except OSError as error:
            self._file.truncate(end)
            raise FileError(str(self.path), str(error.strerror).lower(), "room for the match's events") from None
        if written != len(data):
            self._file.truncate(end)
            raise FileError(str(self.path), "no space left on device", "room for the match's events")

    def sync(self) -> None:
        """Returns when everything written is on the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FileError(str(self.path), "a log that another match is writing", "a log of its own") from None
