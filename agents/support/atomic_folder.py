"""A folder that appears under its name only when everything in it is written."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agents.core.errors import FileError, file_errors
from agents.support.atomic_file import TEMPORARY

WRITABLE = "a folder that can be written"


@contextmanager
def staged_folder(final: Path) -> Iterator[Path]:
    """A fresh folder beside ``final`` that takes its name, and its place, when the block ends well.

    A symbolic link stays, and its target is replaced. Raises FileError for anything in its place that is no folder, and
    when it cannot be written; whatever is raised, ``final`` stays as it was.
    """
    staging = None
    final = Path(os.path.realpath(final))
    try:
        with file_errors(final, WRITABLE):
            final.parent.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(dir=final.parent, prefix=TEMPORARY))
            if os.path.lexists(final) and not final.is_dir():
                raise FileError(str(final), "a file", "the path of a folder")
            # Before the work: a name may be too long for its folder.
            final.exists()
            contents = staging / "new"
            contents.mkdir()
            yield contents
            _replace(final, contents, staging / "old")
    except _safetensors_errors() as error:
        raise FileError(str(final), str(error), WRITABLE) from None
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def _safetensors_errors() -> tuple[type[Exception], ...]:
    """The error of writing weights to a full disk; none where the library is not installed."""
    try:
        from safetensors import SafetensorError
    except ImportError:
        return ()
    return (SafetensorError,)


def _replace(final: Path, contents: Path, old: Path) -> None:
    if final.exists():
        os.replace(final, old)  # noqa: PTH105
    try:
        os.replace(contents, final)  # noqa: PTH105
    except BaseException:
        if old.exists():
            os.replace(old, final)  # noqa: PTH105
        raise
