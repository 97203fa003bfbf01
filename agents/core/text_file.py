"""Reading a text file that a person or another program wrote, in whichever Unicode encoding it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agents.core.errors import FileError, InputError, file_errors, first_line


def encoding_of(start: bytes) -> str:
    """Return the encoding of a text by its first four bytes: UTF-8, UTF-16 or UTF-32, with a byte order mark or not."""
    return json.detect_encoding(start[:4])


def decode_text(data: bytes) -> str:
    """Return ``data`` as text, without a byte order mark. Raises UnicodeDecodeError."""
    return data.decode(encoding_of(data))


def read_text(path: Path, expected: str, kind: type[InputError] = FileError) -> str:
    """Read a text file. Raises ``kind``; ``expected`` completes "expected …"."""
    with file_errors(path, expected, kind):
        data = path.read_bytes()
    try:
        return decode_text(data)
    except UnicodeDecodeError as error:
        found = f"bytes that are not {error.encoding.upper()} (at {error.start})"
        raise kind(str(path), found, expected) from None


def read_json(path: Path, expected: str, kind: type[InputError] = FileError) -> Any:
    """Read a JSON file. Raises ``kind``, also for JSON that is nested too deep; ``expected`` completes "expected …"."""
    text = read_text(path, expected, kind)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise kind(str(path), f"text that is not JSON ({first_line(error)})", expected) from None
