"""Question files, streamed: JSON Lines with one question a line, or JSON, plain or gzipped."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from agents.core.errors import FileError, QuestionError, file_errors
from agents.core.schema import Question, read_questions, read_sound_question
from agents.core.text_file import encoding_of
from training.sources.source import SPLITS, Dropped, SourceRow, Split, keyed_question

SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".json.gz")


def find_data(name: str) -> Path:
    """A data file by path, or by name in the folder ``AIAC_DATA_DIR``. Raises FileError."""
    places = [Path(name)]
    if folder := os.environ.get("AIAC_DATA_DIR"):
        places.append(Path(folder) / name)
    for place in places:
        if place.is_file():
            return place
    looked = ", ".join(str(place) for place in places)
    raise FileError("data", f"no file {name}", f"a path, or a name in the folder AIAC_DATA_DIR (looked at {looked})")


def source_of_file(name: str) -> str:
    """The source that a file's rows are of where they name none: its name up to the first dot."""
    return Path(name).name.split(".")[0]


def data_folder() -> Path | None:
    """The folder AIAC_DATA_DIR, or None when it is not set. Raises FileError when it is no folder."""
    name = os.environ.get("AIAC_DATA_DIR")
    if not name:
        return None
    folder = Path(name)
    if not folder.is_dir():
        raise FileError("AIAC_DATA_DIR", f"no folder {name}", "a folder with question files")
    return folder


def split_files(name: str, split: str) -> list[str]:
    """The names that the file of a source's split may have."""
    return [f"{name}.{split}{suffix}" for suffix in (".jsonl.gz", ".jsonl")]


def named_file(folder: Path, name: str, split: Split) -> Path:
    """The file of a source's split in a folder. Raises FileError: it lists what the folder has of that source."""
    paths = [folder / file for file in split_files(name, split)]
    if path := next((path for path in paths if path.is_file()), None):
        return path
    others = sorted(path.name for path in folder.glob(f"{name}.*") if path.name.endswith(SUFFIXES))
    found = f"no {paths[0].name} or {paths[1].name} in the folder AIAC_DATA_DIR, {folder}"
    has = f"one of the files it has of this source: {', '.join(others)}" if others else "a source it has files of"
    raise FileError("source", found, f"{has}; without AIAC_DATA_DIR the source is loaded from the hub")


def file_rows(path: Path, split: Split, *, source: str | None = None) -> Iterator[SourceRow | Dropped]:
    """The rows of a file, in any question shape ``core.schema`` reads; ``id``, ``split`` and ``subject`` where given.

    ``split`` and ``source`` (by default the file's name up to the first dot) stand in where a row names none. JSON
    Lines are streamed; JSON is read whole. Raises FileError when the file cannot be read.
    """
    source = source or source_of_file(path.name)
    if ".jsonl" not in path.suffixes:
        yield from _json_rows(path, source, split)
        return
    for index, line in enumerate(_lines(path)):
        try:
            raw = json.loads(line)
        except (ValueError, RecursionError):
            yield Dropped("not JSON")
            continue
        yield _row(raw, index, source, split) if isinstance(raw, Mapping) else Dropped("not an object")


def _row(raw: Mapping[str, Any], index: int, source: str, split: Split) -> SourceRow | Dropped:
    source = _text(raw.get("source")) or source
    split = cast(Split, raw["split"]) if raw.get("split") in SPLITS else split
    subject = _text(raw.get("subject")) or _text(raw.get("topic"))
    question = keyed_question(raw, topic=subject or "")
    if isinstance(question, Dropped):
        return question
    own_id = raw.get("id")
    own_id = str(index if own_id is None else own_id).removeprefix(f"{source}-").removeprefix(f"{split}-")
    return SourceRow(f"{source}/{split}/{own_id}", source, split, subject, question)


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _json_rows(path: Path, source: str, split: Split) -> Iterator[SourceRow | Dropped]:
    try:
        rows = read_questions("\n".join(_lines(path)), read_sound_question)
    except QuestionError as error:
        raise FileError(str(path), error.found, error.expected) from None
    for index, row in enumerate(rows):
        if not isinstance(row, Question):
            yield Dropped(row.reason.split(":")[0])
        elif row.key is None:
            yield Dropped("no key")
        else:
            yield SourceRow(f"{source}/{split}/{index}", source, split, row.topic or None, row)


def _lines(path: Path) -> Iterator[str]:
    """The lines that hold more than blanks. A line ends at a newline only: JSON may hold U+2028 and the like."""
    opener = gzip.open if path.suffix == ".gz" else open
    with file_errors(path, "a readable file"):
        try:
            with opener(path, "rb") as start:
                encoding = encoding_of(start.read(4))
            with opener(path, "rt", encoding=encoding, newline="\n") as file:
                yield from filter(str.strip, file)
        except (EOFError, zlib.error, UnicodeDecodeError, gzip.BadGzipFile) as error:
            found = f"unreadable contents ({error})"
            raise FileError(str(path), found, "UTF-8 text, gzipped if it ends in .gz") from None
