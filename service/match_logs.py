"""The event logs of matches as files of JSON lines: which there are, and their lines as they come.

What the events mean is the referee's and the page's business: here a line is one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from agents.core.errors import FileError, InputError, UnknownMatchError, describe, file_errors
from agents.support.json_lines import complete_lines

SUFFIX = ".jsonl"
MAX_LISTED = 100
CHUNK_BYTES = 1 << 18
MAX_LINE_BYTES = 8 << 20
"""No event comes near it; a file that holds a longer line is not a match's log."""
_EDGE_BYTES = 1 << 16
"""How much is read of a log's beginning and end to list it."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class MatchLogs:
    """The logs in one folder, which need not be there yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def entries(self) -> list[dict[str, Any]]:
        """The fields of MatchEntry for the ``MAX_LISTED`` logs that were last written to, the latest first."""
        found = []
        for path in self._folder.glob(f"*{SUFFIX}") if self._folder.is_dir() else ():
            try:
                found.append((path.stat().st_mtime, self.path(path.name.removesuffix(SUFFIX))))
            except (OSError, UnknownMatchError):
                continue
        latest = sorted(found, reverse=True)[:MAX_LISTED]
        return [entry for _, path in latest if (entry := _entry(path)) is not None]

    def path(self, name: str) -> Path:
        """The log of that name. Raises UnknownMatchError, also for a name that leads out of the folder."""
        path = self._folder / f"{name}{SUFFIX}"
        # A link may point anywhere, so what is inside is decided on where it leads.
        if not _NAME.fullmatch(name) or not path.is_file() or path.resolve().parent != self._folder.resolve():
            raise UnknownMatchError("match", describe(name), "the name of a match that GET /matches lists")
        return path


class LogTail:
    """Reads a log's lines from a place in it, in bytes, on. Raises FileError and InputError as it reads.

    A last line without its end is not there yet: its writer may still be at it, or was killed and cuts it off later.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        """Raises InputError that names the header when no line of the log ends at ``offset``."""
        self.path, self.offset = path, offset
        if offset:
            with path.open("rb") as file:
                file.seek(offset - 1)
                if file.read(1) != b"\n":
                    raise InputError("Last-Event-ID", str(offset), "the id of an event of this match")

    def read(self) -> list[tuple[int, dict[str, Any]]]:
        """The next lines, some at a time: where each ends, and its object. Empty when there is none yet."""
        with file_errors(self.path.name, "the event log of a match"), self.path.open("rb") as file:
            if file.seek(0, 2) < self.offset:
                raise FileError(self.path.name, "fewer bytes than before", "a log that is only appended to")
            file.seek(self.offset)
            data = file.read(CHUNK_BYTES)
            while b"\n" not in data and len(data) < MAX_LINE_BYTES and (more := file.read(CHUNK_BYTES)):
                data += more
        if b"\n" not in data and len(data) >= MAX_LINE_BYTES:
            raise FileError(self.path.name, f"a line over {MAX_LINE_BYTES:,} bytes", "the event log of a match")
        lines = []
        for line in complete_lines(data):
            self.offset += len(line) + 1
            lines.append((self.offset, self._object(line)))
        return lines

    async def follow(self, pause_s: float) -> AsyncIterator[tuple[int, dict[str, Any]] | None]:
        """Lines as they come, for ever; None whenever there was none, before it waits ``pause_s``."""
        while True:
            lines = await asyncio.to_thread(self.read)
            for line in lines:
                yield line
            if not lines:
                yield None
                await asyncio.sleep(pause_s)

    def _object(self, line: bytes) -> dict[str, Any]:
        event = _json_object(line)
        if event is None:
            raise FileError(f"{self.path.name}: byte {self.offset}", "a line that is no JSON object", "an event")
        return event


def _entry(path: Path) -> dict[str, Any] | None:
    """What is listed of a log; None for a file that does not begin like one."""
    try:
        with path.open("rb") as file:
            first = _json_object(file.readline(_EDGE_BYTES))
            size = file.seek(0, 2)
            file.seek(max(0, size - _EDGE_BYTES))
            end = file.read()
        changed_at_s = path.stat().st_mtime
    except OSError:
        return None
    if first is None or first.get("type") != "match_started":
        return None
    last = _json_object(end.rstrip(b"\n").rpartition(b"\n")[2])
    return {
        "name": path.name.removesuffix(SUFFIX),
        "edition": str(first.get("edition")),
        "home": _team(first.get("home")),
        "away": _team(first.get("away")),
        "bytes": size,
        "changed_at_s": changed_at_s,
        "ended": last is not None and last.get("type") == "match_ended",
    }


def _team(entry: Any) -> str:
    return str(entry.get("name")) if isinstance(entry, dict) else ""


def _json_object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
