"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from agents.core.errors import FileError, file_errors


def require_writable(output: Path) -> None:
    """Raise FileError when ``output`` could not be written: better before the work than after it."""
    with file_errors(output.parent, "a folder that can be written"):
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output.parent):
            pass
    if output.is_dir():
        raise FileError(str(output), "a folder", "the path of a file")


def write_whole(path: Path, contents: str | bytes) -> None:
    """Write beside ``path`` and rename, so that a reader sees the old file or the new one. Raises FileError."""
    try:
        data = contents.encode() if isinstance(contents, str) else contents
    except UnicodeEncodeError as error:
        raise FileError(str(path), str(error), "text that can be written") from None
    require_writable(path)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with file_errors(path, "a file that can be written"):
        try:
            with open(handle, "wb") as file:  # noqa: PTH123
                file.write(data)
            Path(beside).chmod(0o644)
            os.replace(beside, path)  # noqa: PTH105
        except OSError:
            Path(beside).unlink(missing_ok=True)
            raise
