"""A folder that appears under its name only when everything in it is written."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agents.errors import FileError


@contextmanager
def staged_folder(output: Path, marker: str) -> Iterator[Path]:
    """A new folder beside ``output`` that takes its name when the block ends well and is deleted when it does not.

    An ``output`` that is there is replaced if it is empty or holds a file called ``marker``. Raises FileError when it
    is anything else, and when the folder cannot be made.
    """
    if output.exists() and not output.is_dir():
        raise FileError(str(output), "a file", "the path of a folder")
    try:
        if output.is_dir() and any(output.iterdir()) and not (output / marker).is_file():
            raise FileError(str(output), f"a folder with other files and no {marker}", "a new or an empty folder")
        output.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
        staging.chmod(0o755)
    except OSError as error:
        raise FileError(str(output.parent), str(error.strerror).lower(), "a folder that can be written") from None
    try:
        yield staging
        _rename_over(staging, output)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _rename_over(staging: Path, output: Path) -> None:
    replaced = staging.with_name(f"{staging.name}.replaced")
    if not output.exists():
        staging.rename(output)
        return
    try:
        output.rename(replaced)
        staging.rename(output)
    except BaseException:
        if replaced.exists() and not output.exists():
            replaced.rename(output)
        raise
    shutil.rmtree(replaced, ignore_errors=True)
