"""The contents of a bundle's files: where they come from, and writing them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from agents.models.download import CHUNK_BYTES
from tournament.bundle.record import FileRecord

FileContent = Path | bytes
"""A file to copy, or its contents."""


def size_of(content: FileContent) -> int:
    """Return the size in bytes. Raises OSError."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def write_content(target: Path, content: FileContent) -> FileRecord:
    """Write a file and the folders above it. Raises OSError.

    The hash is of the bytes that were read, not of the file on the disk.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as file:
        for chunk in _chunks(content):
            digest.update(chunk)
            size += file.write(chunk)
    return FileRecord(sha256=digest.hexdigest(), bytes=size)


def _chunks(content: FileContent) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
