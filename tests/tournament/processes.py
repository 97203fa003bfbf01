"""Processes of this machine by their command lines: their numbers differ from one namespace to another."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def running(*command: str) -> list[int]:
    """The processes whose command line is exactly this, those not counted that have ended and wait to be reaped."""
    wanted = b"".join(part.encode() + b"\0" for part in command)
    found = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdigit() and (process / "cmdline").read_bytes() == wanted:
                found.append(int(process.name))
    return found
