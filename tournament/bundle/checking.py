"""Whether a bundle still is what it was when it was made."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from agents.core.errors import system_reason
from agents.models.download import sha256_of
from agents.support.bundle import FILE_NAME, OUTPUTS
from tournament.bundle.record import FileRecord, read_record
from tournament.teams.listing import list_folder
from tournament.untrusted import printable

LISTED = f"as {FILE_NAME} lists it"


def differences(folder: Path) -> Iterator[str]:
    """One sentence for every file that is missing, changed, or not in the record; outputs/ is not looked at.

    Raises as ``read_record`` does.
    """
    record = read_record(folder)
    for path, entry in record.files.items():
        if (difference := _difference(folder / path, entry)) is not None:
            yield f"{printable(path)}: {difference}"
    for path, (mode, *_) in sorted(list_folder(folder, without=OUTPUTS).items()):
        # Python's own caches are no part of what was made.
        known = path in record.files or path == FILE_NAME or "__pycache__" in Path(path).parts
        if not known and not stat.S_ISDIR(mode):
            yield f"{printable(path)}: found a file that {FILE_NAME} does not list; expected none beside {OUTPUTS}/"


def _difference(file: Path, entry: FileRecord) -> str | None:
    if file.is_symlink() or not file.is_file():
        found = "a link" if file.is_symlink() else "no such file"
        return f"found {found}; expected a file of {entry.bytes:,} bytes, {LISTED}"
    try:
        if (size := file.stat().st_size) != entry.bytes:
            return f"found {size:,} bytes; expected {entry.bytes:,}, {LISTED}"
        if (sha256 := sha256_of(file)) != entry.sha256:
            return f"found SHA-256 {sha256}; expected {entry.sha256}, {LISTED}"
    except OSError as error:
        return f"found {system_reason(error)}; expected a file that can be read"
    return None
