"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from agents.core.errors import FileError


def require_writable(output: Path) -> None:
    """Raises FileError when ``output`` could not be written: better before the work than after it."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output.parent):
            pass
    except OSError as error:
        raise FileError(str(output.parent), str(error.strerror).lower(), "a folder that can be written") from None
    if output.is_dir():
        raise FileError(str(output), "a folder", "the path of a file")


def write_whole(path: Path, contents: str | bytes) -> None:
    """Writes beside ``path`` and renames, so that a reader sees the old file or the new one. Raises FileError."""
    require_writable(path)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "wb") as file:  # noqa: PTH123
            file.write(contents.encode() if isinstance(contents, str) else contents)
        Path(beside).chmod(0o644)
        os.replace(beside, path)  # noqa: PTH105
    except (OSError, ValueError) as error:
        Path(beside).unlink(missing_ok=True)
        found = error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
        raise FileError(str(path), found, "a file that can be written") from None
