"""The event log of a match: JSON lines, only ever appended to, whole up to its last complete line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError

from agents.core.errors import FileError, describe, file_errors
from agents.core.pydantic_errors import validation_error
from agents.support.json_lines import JsonLinesFile, complete_lines
from tournament.match.events import EVENT, VERSION, Event
from tournament.teams.names import slug

HOLDS = "the event log of a match"
BEGINS = b'{"v": '
"""The first bytes of every line that ``encode`` makes."""


def encode(event: Event) -> bytes:
    """Return one line without its end, in ASCII: a lone surrogate in a team's row has no other readable spelling."""
    return json.dumps(event.model_dump(), ensure_ascii=True, allow_nan=False).encode()


def read_log(path: Path) -> list[Event]:
    """Read the events of a log. A last line that is cut off is left out: its writer was killed.

    Raises FileError when it cannot be read, or when any other line is not an event of this version.
    """
    with file_errors(path, HOLDS):
        data = path.read_bytes()
    return list(_events(path, complete_lines(data)))


def new_log_path(folder: Path, edition: str, home: str, away: str) -> Path:
    """Return a fresh name in ``folder``, readable and free of whatever a team's name may hold."""
    time = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return folder / f"{edition}-{time}-{slug(home)}-{slug(away)}.jsonl"


def _events(path: Path, lines: Sequence[bytes]) -> Iterator[Event]:
    for number, line in enumerate(lines, start=1):
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
        raise validation_error(error, FileError, place, whole="event") from None


class EventLog:
    """A log open for writing, and what it already held. One process writes to a log at a time."""

    def __init__(self, path: Path) -> None:
        """Open ``path`` or create it. Raises FileError when it cannot be, is being written to, or holds no events."""
        if path.is_file():
            # Opening it for appending cuts a torn last line off, which must not happen to a file that is no log.
            read_log(path)
        self.path = path
        self._file = JsonLinesFile(path, HOLDS, BEGINS)
        try:
            self.events = list(_events(path, self._file.lines))
        except FileError:
            self.close()
            raise
        self._file.lines.clear()

    def __enter__(self) -> EventLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, events: Sequence[Event]) -> None:
        """Write ``events`` in one call. Raises FileError and keeps none of them when it fails."""
        self._file.append([encode(event) for event in events])

    def sync(self) -> None:
        """Return when everything written is on the disk."""
        self._file.sync()

    def close(self) -> None:
        self._file.close()
