"""Curated rows on disk: the Parquet files that training reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from agents.core.errors import FileError
from agents.core.schema import Question

LEVELS = ("easy", "medium", "hard")
ROWS_PER_GROUP = 10_000


@dataclass(frozen=True, slots=True)
class CuratedRow:
    """A question with its key, and what curation found out about it.

    ``difficulty`` is in [0, 1]; ``level`` is one of ``LEVELS``, a third of all rows each. Rows of one ``group``
    resemble each other and are all in one file. ``split`` is the source's own name for the part the row is from.
    ``explanation`` says why the key holds, where the source proves it. It is for members that write questions: one that
    answers never sees it.
    """

    id: str
    source: str
    split: str
    subject: str | None
    question: Question
    difficulty: float
    level: str
    group: str
    explanation: str | None = None


def _schema() -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            ("id", pa.string()),
            ("source", pa.string()),
            ("split", pa.string()),
            ("subject", pa.string()),
            ("question", pa.string()),
            ("choices", pa.list_(pa.string())),
            ("key", pa.int8()),
            ("difficulty", pa.float32()),
            ("level", pa.string()),
            ("group", pa.string()),
            ("explanation", pa.string()),
        ]
    )


def write_rows(path: Path, rows: Sequence[CuratedRow]) -> None:
    """Writes a Parquet file; the same rows give the same bytes. Raises OSError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema()
    remaining = iter(rows)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while batch := list(islice(remaining, ROWS_PER_GROUP)):
            writer.write_table(pa.Table.from_pylist([_record(row) for row in batch], schema=schema))


def _record(row: CuratedRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "source": row.source,
        "split": row.split,
        "subject": row.subject,
        "question": row.question.text,
        "choices": row.question.choices,
        "key": row.question.key,
        "difficulty": row.difficulty,
        "level": row.level,
        "group": row.group,
        "explanation": row.explanation,
    }


def read_rows(path: Path) -> list[CuratedRow]:
    """The rows of a file that ``aiac data build`` wrote, in their order. Raises FileError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    expected = "a Parquet file that `aiac data build` wrote"
    try:
        with pq.ParquetFile(path) as file:
            if not file.schema_arrow.equals(_schema()):
                raise FileError(str(path), f"the columns {', '.join(file.schema_arrow.names)}", expected)
            return [_row(record) for batch in file.iter_batches(ROWS_PER_GROUP) for record in batch.to_pylist()]
    except FileNotFoundError:
        raise FileError(str(path), "no such file", expected) from None
    except (OSError, pa.ArrowException) as error:
        raise FileError(str(path), f"unreadable contents ({str(error).splitlines()[0]})", expected) from None


def _row(record: dict[str, Any]) -> CuratedRow:
    text, choices, key = (record.pop(name) for name in ("question", "choices", "key"))
    return CuratedRow(**record, question=Question(text, tuple(choices), topic=record["subject"] or "", key=key))
