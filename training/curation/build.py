"""`aiac data build`: from a recipe to a folder with two Parquet files, a card, a plot and the numbers behind them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

from agents.core.errors import FileError, InputError
from agents.core.schema import Question
from agents.models.download import sha256_of
from agents.models.store import disk_free
from agents.support.atomic_folder import staged_folder
from training.curation.balance import balance_keys, refers_to_place
from training.curation.card import data_card
from training.curation.collect import Collector, Tally, read_keyed
from training.curation.difficulty import Scorer, heuristic_difficulty, levels_of
from training.curation.plot import write_composition
from training.curation.recipe import DataRecipe
from training.curation.report import (
    BUILD_FILE,
    CARD,
    PICTURE,
    TRAIN,
    VALIDATION,
    BuildReport,
    EvaluationReport,
    FileReport,
    SourceReport,
)
from training.curation.rows import LEVELS, CuratedRow, write_rows
from training.curation.selection import Selection, select_rows
from training.curation.split import validation_groups
from training.sources import SOURCES, read_source
from training.sources.licences import licence_of, require_trainable
from training.sources.source import SPLITS, Proved, SourceRow, Split
from training.support.disk import require_disk
from training.support.progress import StageProgress, no_progress

LIBRARIES = ("datasketch", "numpy", "pyarrow")
RESERVE_BYTES = 64 << 20
ROW_BYTES = 256
"""What a row takes besides its texts: ids, names and numbers, uncompressed."""


def build_data(
    recipe: DataRecipe,
    *,
    scorer: Scorer | None = None,
    advance: StageProgress = no_progress,
    free_bytes: Callable[[Path], int] = disk_free,
) -> BuildReport:
    """Builds the data set of ``recipe`` and writes it to its output folder, which appears whole or not at all.

    ``scorer`` gives the difficulties; without one they come from ``heuristic_difficulty``. The same recipe, sources and
    scorer give the same bytes of Parquet.

    Raises FileError when the output cannot be written, DiskSpaceError before anything is written, InputError when no
    row is left or a source is for evaluation only and the recipe does not allow that, what ``read_source`` raises for a
    source or evaluation file, and what ``scorer`` raises.
    """
    output = Path(recipe.output)
    with staged_folder(output) as folder:
        _require_replaceable(output)
        sources, evaluation, collector = _collect(recipe, advance)
        advance("comparing rows", 0, len(collector.rows))
        selection = select_rows(collector, recipe, sources, evaluation)
        advance("comparing rows", len(collector.rows), len(collector.rows))
        _check_disk(selection.rows, output, free_bytes)
        splits = _curate(selection, recipe, scorer, advance)
        advance("writing", 0, len(selection.rows))
        files = [_write_file(folder / name, rows) for name, rows in zip((TRAIN, VALIDATION), splits, strict=True)]
        report = _report(recipe, scorer, selection, splits, files, sources, evaluation)
        (folder / BUILD_FILE).write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
        (folder / CARD).write_text(data_card(report), encoding="utf-8")
        write_composition(report, folder / PICTURE)
        advance("writing", report.rows, report.rows)
    return report


def _require_replaceable(output: Path) -> None:
    """Raises FileError for anything but an empty folder, or one that an earlier build wrote."""
    if output.exists() and not output.is_dir():
        raise FileError(str(output), "a file", "the path of a folder")
    if output.is_dir() and any(output.iterdir()) and not (output / BUILD_FILE).is_file():
        raise FileError(str(output), f"a folder with other files and no {BUILD_FILE}", "a new or an empty folder")


def _collect(recipe: DataRecipe, advance: StageProgress) -> tuple[list[Tally], list[Tally], Collector]:
    """Reads the evaluation files, then the sources; returns a tally of each."""
    if not recipe.allow_evaluation_only:
        for source in recipe.sources:
            require_trainable(source.name)
    # All are opened before the first is read: a missing file is told at once, not after minutes.
    evaluation_items = [read_source(*_evaluation_source(name), seed=recipe.seed) for name in recipe.evaluation]
    source_items = [read_source(s.name, s.split, seed=recipe.seed, limit=s.rows) for s in recipe.sources]
    evaluation, sources = [Tally() for _ in evaluation_items], [Tally() for _ in source_items]
    collector = Collector(recipe.contamination_ngram, recipe.seed, evaluation)
    for number, (name, items) in enumerate(zip(recipe.evaluation, evaluation_items, strict=True)):
        for row in read_keyed(items, evaluation[number], partial(_tell, advance, f"reading {name}")):
            collector.add_evaluation(number, row)
    checked: set[str] = set()
    for number, (source, items) in enumerate(zip(recipe.sources, source_items, strict=True)):
        stage = f"reading {source.name}:{source.split}"
        for row in read_keyed(items, sources[number], partial(_tell, advance, stage)):
            # A file may hold rows of sources that its name does not tell.
            if row.source not in checked and not recipe.allow_evaluation_only:
                require_trainable(row.source)
                checked.add(row.source)
            collector.add(number, row, sources[number])
    return sources, evaluation, collector


def _tell(advance: StageProgress, stage: str, rows: int) -> None:
    advance(stage, rows, None)


def _evaluation_source(name: str) -> tuple[str, Split]:
    """What ``read_source`` takes for a name, or for SOURCE:SPLIT. The split says nothing where the name is a file's."""
    source, _, split = name.rpartition(":")
    if source not in SOURCES:
        return name, "test"
    for known in SPLITS:
        if split == known:
            return source, known
    raise InputError("data.evaluation", repr(name), f"a split of {source}: one of {', '.join(SPLITS)}")


def _curate(
    selection: Selection, recipe: DataRecipe, scorer: Scorer | None, advance: StageProgress
) -> tuple[list[CuratedRow], list[CuratedRow]]:
    """The rows to train on and those to validate on: keys balanced, difficulties and levels assigned."""
    chosen = validation_groups(selection.groups, recipe.validation_share, recipe.seed)
    sides = [[i for i, group in enumerate(selection.groups) if (group in chosen) is side] for side in (False, True)]
    balanced = balance_keys([[selection.rows[i].question for i in side] for side in sides], recipe.seed)
    questions = [question for split in balanced for question in split]
    advance("scoring difficulty", 0, len(questions))
    proved = [selection.rows[i].proved for side in sides for i in side]
    difficulties = _difficulties(questions, proved, scorer or heuristic_difficulty)
    advance("scoring difficulty", len(questions), len(questions))
    group_names: dict[int, str] = {}
    for row, group in zip(selection.rows, selection.groups, strict=True):
        group_names.setdefault(group, row.id)
    scored = zip(questions, difficulties, levels_of(difficulties), strict=True)
    train, validation = (
        [_curated(selection.rows[i], *next(scored), group_names[selection.groups[i]]) for i in side] for side in sides
    )
    return train, validation


def _difficulties(questions: Sequence[Question], proved: Sequence[Proved | None], scorer: Scorer) -> list[float]:
    """One difficulty a question: scored, or as it was proved, brought to the scale of the scored ones by rank.

    The two kinds of number cannot be compared, their ranks can: a proved row that stands at 0.4 of its own scale is put
    where 0.4 of the scored rows are easier, so that easy, medium and hard puzzles fall among the easiest, the middle
    and the hardest third of the others. Where nothing is scored, a proved difficulty stays as it is.
    """
    import numpy as np

    asked = [question for question, known in zip(questions, proved, strict=True) if known is None]
    scored = [float(value) for value in scorer(asked)] if asked else []
    if len(scored) != len(asked) or not all(0 <= value <= 1 for value in scored):
        raise ValueError("a scorer gives one number from 0 to 1 a question")
    remaining = iter(scored)
    return [
        next(remaining)
        if known is None
        else float(np.quantile(scored, known.difficulty))
        if scored
        else known.difficulty
        for known in proved
    ]


def _curated(row: SourceRow, question: Question, difficulty: float, level: str, group: str) -> CuratedRow:
    explanation = None if row.proved is None else row.proved.explanation
    return CuratedRow(row.id, row.source, row.split, row.subject, question, difficulty, level, group, explanation)


def _check_disk(rows: Sequence[SourceRow], output: Path, free_bytes: Callable[[Path], int]) -> None:
    """Raises DiskSpaceError unless the rows fit, uncompressed as they are here."""
    texts = (text for row in rows for text in (row.question.text, *row.question.choices))
    needed = sum(len(text.encode()) for text in texts) + ROW_BYTES * len(rows)
    require_disk(output, needed, RESERVE_BYTES, free_bytes=free_bytes)


def _write_file(path: Path, rows: Sequence[CuratedRow]) -> FileReport:
    write_rows(path, rows)
    groups = Counter(row.group for row in rows)
    keys: dict[int, Counter[int | None]] = {}
    for row in rows:
        keys.setdefault(len(row.question.choices), Counter())[row.question.key] += 1
    return FileReport(
        name=path.name,
        rows=len(rows),
        groups=len(groups),
        largest_group=max(groups.values(), default=0),
        levels=_levels(rows),
        keys={n: [counts[i] for i in range(n)] for n, counts in sorted(keys.items())},
        bytes=path.stat().st_size,
        sha256=sha256_of(path),
    )


def _levels(rows: Sequence[CuratedRow]) -> dict[str, int]:
    counts = Counter(row.level for row in rows)
    return {level: counts[level] for level in LEVELS}


def _report(
    recipe: DataRecipe,
    scorer: Scorer | None,
    selection: Selection,
    splits: tuple[list[CuratedRow], list[CuratedRow]],
    files: list[FileReport],
    sources: list[Tally],
    evaluation: list[Tally],
) -> BuildReport:
    everything = [row for rows in splits for row in rows]
    lowest = [min((row.difficulty for row in everything if row.level == level), default=1.0) for level in LEVELS]
    return BuildReport(
        recipe=recipe,
        difficulty="heuristic" if scorer is None else "model",
        level_bounds=(lowest[1], lowest[2]),
        proved=sum(row.proved is not None for row in selection.rows),
        fixed_order=sum(refers_to_place(row.question) for row in everything),
        sources=_source_reports(recipe, selection, splits, sources),
        evaluation=[
            EvaluationReport(
                name=name,
                rows=tally.rows,
                overlaps=tally.overlaps,
                near_copies=tally.near_copies,
                content_sha256=tally.content_sha256,
            )
            for name, tally in zip(recipe.evaluation, evaluation, strict=True)
        ],
        files=files,
        versions={name: version(name) for name in LIBRARIES},
    )


def _source_reports(
    recipe: DataRecipe,
    selection: Selection,
    splits: tuple[list[CuratedRow], list[CuratedRow]],
    sources: Sequence[Tally],
) -> list[SourceReport]:
    number_of = {row.id: number for row, number in zip(selection.rows, selection.source_numbers, strict=True)}
    by_source: list[list[list[CuratedRow]]] = [[[] for _ in splits] for _ in sources]
    for side, rows in enumerate(splits):
        for row in rows:
            by_source[number_of[row.id]][side].append(row)
    reports = []
    for entry, tally, (train, validation) in zip(recipe.sources, sources, by_source, strict=True):
        licences = [licence_of(source) for source in sorted(tally.sources)]
        reports.append(
            SourceReport(
                name=entry.name,
                split=entry.split,
                licence="; ".join(dict.fromkeys(licence.text for licence in licences)),
                terms="; ".join(dict.fromkeys(licence.terms for licence in licences)),
                read=tally.read,
                dropped=dict(tally.dropped),
                train=len(train),
                validation=len(validation),
                levels=_levels([*train, *validation]),
                content_sha256=tally.content_sha256,
            )
        )
    return reports
