"""Folders for one run, deleted whatever the run left in them."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def throwaway_folder() -> Iterator[Path]:
    """A new folder, gone afterwards. What cannot be deleted stays, and is no error."""
    folder = Path(tempfile.mkdtemp(prefix="arena-"))
    try:
        yield folder
    finally:
        remove_tree(folder)


def remove_tree(folder: Path) -> bool:
    """Delete ``folder`` and everything in it; False where something stays. No depth and no name is too much.

    It goes down and up by handles, since paths of such a depth are longer than the system takes. Links are not
    followed. No other process may write there meanwhile.
    """
    with suppress(OSError):
        folder.chmod(stat.S_IRWXU)
        here = os.open(folder, FOLDER)
        # By level, from the top: the folder gone into, and those of that level that are left.
        levels: list[tuple[str, list[str]]] = []
        left = _emptied(here)
        while left or levels:
            if left:
                name = left.pop()
                below = _opened(name, here)
                if below is not None:
                    os.close(here)
                    levels.append((name, left))
                    here, left = below, _emptied(below)
                continue
            above = os.open("..", FOLDER, dir_fd=here)
            os.close(here)
            name, left = levels.pop()
            here = above
            with suppress(OSError):
                os.rmdir(name, dir_fd=here)
        os.close(here)
        folder.rmdir()
    return not folder.exists()


FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def _emptied(handle: int) -> list[str]:
    """The folders in a folder, of which every other entry is deleted."""
    folders = []
    with suppress(OSError), os.scandir(handle) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            else:
                with suppress(OSError):
                    os.unlink(entry.name, dir_fd=handle)
    return folders


def _opened(name: str, inside: int) -> int | None:
    """A handle on a folder; None where it cannot be entered."""
    with suppress(OSError):
        try:
            handle = os.open(name, FOLDER, dir_fd=inside)
        except PermissionError:
            os.chmod(name, stat.S_IRWXU, dir_fd=inside)
            handle = os.open(name, FOLDER, dir_fd=inside)
        if os.fstat(handle).st_mode & stat.S_IRWXU != stat.S_IRWXU:
            os.fchmod(handle, stat.S_IRWXU)
        return handle
    return None
