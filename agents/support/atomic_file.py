"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from agents.core.errors import FileError, file_errors

TEMPORARY = ".aiac-"
"""The prefix of names that are replaced soon. It is short, so that any name that fits a folder can be written."""

PRIVATE = 0o600
"""The mode of files that are kept between runs: keys and proofs are in them, for their owner alone."""


def require_writable(*outputs: Path, inputs: Iterable[Path] = ()) -> None:
    """Raise FileError when an output could not be written, or when two files are one.

    ``inputs`` are the paths that the work reads. None of them, and no other output, may be an output under another
    spelling, link or hard link. Call this before the work: an error after it loses what the work made.
    """
    seen = [(path, "a file that is read") for path in inputs]
    for output in outputs:
        _require_place(output)
        for other, role in seen:
            if _same_file(output, other):
                expected = "another path: writing would lose what is in it"
                raise FileError(str(output), f"{role} under this or another name ({other})", expected)
        seen.append((output, "another output"))


def write_whole(path: Path, contents: str | bytes) -> None:
    """Write beside ``path`` and rename, so that a reader sees the old file or the new one. Raises FileError.

    A symbolic link stays, and its target is replaced.
    """
    try:
        data = contents.encode() if isinstance(contents, str) else contents
    except UnicodeEncodeError as error:
        raise FileError(str(path), str(error), "text that can be written") from None
    target = _require_place(path)
    with file_errors(path, "a file that can be written"):
        handle, beside = tempfile.mkstemp(dir=target.parent, prefix=TEMPORARY)
        try:
            with open(handle, "wb") as file:  # noqa: PTH123
                file.write(data)
            Path(beside).chmod(stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o644)
            os.replace(beside, target)  # noqa: PTH105
        except OSError:
            Path(beside).unlink(missing_ok=True)
            raise


def kind_of(mode: int) -> str:
    """Return the phrase for a file's mode, such as "a folder"."""
    names = {
        stat.S_IFREG: "a file",
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return names.get(stat.S_IFMT(mode), "something that is no file")


def _require_place(output: Path) -> Path:
    """Return the path that ``output`` leads to, in a folder that can be written. Raises FileError."""
    # A link that leads nowhere is followed too: the file then appears where it points.
    target = Path(os.path.realpath(output))
    with file_errors(target.parent, "a folder that can be written"):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    with file_errors(output, "the path of a file that can be written"):
        # This fails for a name that is too long for its folder.
        mode = target.lstat().st_mode if _is_there(target) else None
    if mode is not None and not stat.S_ISREG(mode):
        found = "a link that leads to itself" if stat.S_ISLNK(mode) else kind_of(mode)
        raise FileError(str(output), found, "the path of a file")
    return target


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def _same_file(one: Path, other: Path) -> bool:
    """Return whether both paths lead to one file, or would."""
    try:
        return one.samefile(other)
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)
