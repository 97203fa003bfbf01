"""What a run changed in a folder: a listing before, a listing after, and the difference.

It sees files that were made, removed, or written to, by size, time and inode. It cannot see what a process does
elsewhere on the machine, nor a file that was given its old size and time back.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

MAX_ENTRIES = 200_000
MAX_NAMED = 5
"""Paths that a sentence names; of more it gives the number."""

Listing = dict[str, tuple[int, int, int, int]]
"""By path inside the folder: mode, inode, size in bytes, time of the last change in ns."""


def list_folder(folder: Path, *, without: str) -> Listing:
    """Everything in ``folder`` but for ``without`` in it. At most ``MAX_ENTRIES``; links are not followed."""
    found: Listing = {}
    for path, entry in _walk(folder, without):
        if len(found) >= MAX_ENTRIES:
            break
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        is_folder = stat.S_ISDIR(status.st_mode)
        # A folder's time and size change with its entries, which are listed themselves.
        found[path] = (
            status.st_mode,
            status.st_ino,
            0 if is_folder else status.st_size,
            0 if is_folder else status.st_mtime_ns,
        )
    return found


def changes(before: Listing, after: Listing) -> list[str]:
    """One sentence for what was made, one for what was written to, one for what was removed; none where nothing was."""
    made = sorted(after.keys() - before.keys())
    removed = sorted(before.keys() - after.keys())
    changed = sorted(path for path in before.keys() & after.keys() if before[path] != after[path])
    lists = (("made", made), ("wrote to", changed), ("removed", removed))
    return [f"{what} {_names(paths)}, outside outputs/" for what, paths in lists if paths]


def _names(paths: list[str]) -> str:
    shown = ", ".join(ascii(path)[1:-1] for path in paths[:MAX_NAMED])
    return shown if len(paths) <= MAX_NAMED else f"{shown} and {len(paths) - MAX_NAMED:,} more"


def _walk(folder: Path, without: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        try:
            with os.scandir(folder / inside) as entries:
                for entry in entries:
                    path = f"{inside}{entry.name}"
                    if path == without:
                        continue
                    yield path, entry
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{path}/")
        except OSError:
            continue
