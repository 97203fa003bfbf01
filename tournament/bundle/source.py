"""Where the bytes of a file in a bundle come from, and how they get there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from agents.models.download import CHUNK_BYTES
from tournament.bundle.record import FileRecord

Source = Path | bytes
"""A file to copy, or its contents."""


def size_of(source: Source) -> int:
    """Bytes. Raises OSError."""
    return len(source) if isinstance(source, bytes) else source.stat().st_size


def put(target: Path, source: Source) -> FileRecord:
    """Writes a file, and the folders above it. The hash is that of what was read, not of what the disk kept of it.

    Raises OSError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as file:
        for chunk in _chunks(source):
            digest.update(chunk)
            size += file.write(chunk)
    return FileRecord(sha256=digest.hexdigest(), bytes=size)


def _chunks(source: Source) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with source.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
