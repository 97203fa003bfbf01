"""One stream of rows from any source: by name from the hub or a local folder, or from a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from random import Random

from agents.core.errors import InputError
from training.sources.choices import CHOICE_SOURCES
from training.sources.distractors import AnswerPool
from training.sources.files import SUFFIXES, data_folder, file_rows, find_data, named_file
from training.sources.hub import hub_rows
from training.sources.open_answers import OPEN_SOURCES
from training.sources.puzzles import PUZZLES, puzzle_rows
from training.sources.source import SPLITS, Dropped, RawRow, RowContext, Source, SourceRow, Split
from training.support.reservoir import Reservoir

SOURCES: Mapping[str, Source] = {source.name: source for source in (*CHOICE_SOURCES, *OPEN_SOURCES)}
"""Every published source that can be read by name. Besides these there is ``PUZZLES``, which nobody publishes."""


def read_source(
    name: str, split: Split = "train", *, seed: int = 0, limit: int | None = None
) -> Iterator[SourceRow | Dropped]:
    """The rows of a source in their order, and in place of each that is no usable question the reason for it.

    ``name`` is one of ``SOURCES``, ``PUZZLES``, or a file ending in ``SUFFIXES`` by its path or its name in
    AIAC_DATA_DIR. A published source is read from ``NAME.SPLIT.jsonl.gz`` (or ``.jsonl``) in AIAC_DATA_DIR where that
    is set, else from the hub.
    A file is read whole: a row keeps the split it names, and ``split`` is that of the rows that name none. Puzzles are
    made here: they have no end, so they need a ``limit`` and are its first rows.

    ``limit`` draws that many of the usable rows, each with the same probability (algorithm R of Vitter, 1985), and
    yields them in their order in the source, after the dropped ones; the whole source is still read. ``seed`` decides
    the draw, and the distractors and the key's place where a source publishes none. The same seed gives the same rows.

    Raises InputError for an unknown name or split and for puzzles without a limit, FileError for a file that is missing
    or unreadable, and DownloadError for a hub that cannot be reached: the first two at once, the others when the first
    row is asked for.
    """
    if name == PUZZLES and limit is None:
        raise InputError(PUZZLES, "no number of rows", "one: puzzles are made as they are asked for, without end")
    rows = _open(name, split, seed)
    if name == PUZZLES:
        return islice(rows, limit)
    return rows if limit is None else _draw(rows, limit, seed)


def _open(name: str, split: Split, seed: int) -> Iterator[SourceRow | Dropped]:
    if split not in SPLITS:
        raise InputError("split", f"{split!r}", f"one of {', '.join(SPLITS)}")
    if name == PUZZLES:
        return puzzle_rows(split, seed=seed)
    if name.endswith(SUFFIXES):
        return file_rows(find_data(name), split)
    source = SOURCES.get(name)
    if source is None:
        known = ", ".join([*SOURCES, PUZZLES])
        raise InputError("source", f"{name!r}", f"a file ending in {' or '.join(SUFFIXES)}, or one of {known}")
    if folder := data_folder():
        return file_rows(named_file(Path(folder), name, split), split, source=name)
    if split not in source.splits:
        published = ", ".join(source.splits)
        raise InputError("split", f"{split}, of which {name} publishes no answers", f"one of {published}")
    return convert_rows(source, split, lambda: hub_rows(source, source.splits[split]), seed=seed)


def convert_rows(
    source: Source, split: Split, open_rows: Callable[[], Iterable[RawRow]], *, seed: int = 0
) -> Iterator[SourceRow | Dropped]:
    """The rows of a source from its published ones, which ``open_rows`` opens: twice where an answer pool is needed.

    The first pass then fills the pool, which is bounded, and the second converts; neither holds the rows. Raises
    InputError when a row lacks a column that the converter reads.
    """
    try:
        pool = None
        if source.open_answer is not None:
            pool = AnswerPool(filter(None, map(source.open_answer, open_rows())), seed=seed)
        for index, raw in enumerate(open_rows()):
            converted = source.convert(raw, RowContext(source.name, split, index, seed, pool))
            if isinstance(converted, Dropped):
                yield converted
                continue
            row_id = f"{source.name}/{split}/{index if converted.id is None else converted.id}"
            yield SourceRow(row_id, source.name, split, converted.subject, converted.question)
    except KeyError as error:
        found = f"a row without the column {error.args[0]}"
        raise InputError(source.hub_id, found, f"the columns that the source {source.name} is known to have") from None


def _draw(rows: Iterable[SourceRow | Dropped], limit: int, seed: int) -> Iterator[SourceRow | Dropped]:
    reservoir: Reservoir[tuple[int, SourceRow]] = Reservoir(limit, Random(seed))  # noqa: S311
    for place, row in enumerate(rows):
        if isinstance(row, Dropped):
            yield row
        else:
            reservoir.add((place, row))
    for _, row in sorted(reservoir.items, key=lambda item: item[0]):
        yield row
