"""The data card: what is in a data set, where it comes from and what was left out, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agents.core.schema import LETTERS
from training.curation.report import CONTAMINATED, PICTURE, BuildReport
from training.curation.rows import LEVELS


def data_card(report: BuildReport) -> str:
    """The whole card; the same report gives the same text."""
    recipe = report.recipe
    train, validation = report.files
    parts = [
        "# Data card",
        f"{report.rows:,} multiple-choice questions with their keys from {len(report.sources)} sources: {train.rows:,} "
        f"to train on, {validation.rows:,} to validate on. Seed {recipe.seed}. Rows of one group (the same question, "
        f"the same passage, or a similarity of at least {recipe.group_similarity:g}) are all in one file.",
        f"![Rows kept by level, and rows dropped by reason]({PICTURE})",
        "## Sources",
        _source_table(report),
        "The terms say what the licence allows; they bind whoever trains on the data or passes it on.",
        "## Rows dropped",
        _dropped_table(report),
        f"Near duplicates have a MinHash similarity of at least {recipe.near_duplicate_similarity:g} over runs of "
        "three words of question and choices, and the same key text; the first one read stays.",
        "## Evaluation files",
        _evaluation_table(report),
        f"An overlap is a run of {recipe.contamination_ngram} words of the question; a shorter question is compared "
        "whole, with a choice in common. A near copy reaches the near-duplicate similarity, whatever its key. "
        f"{report.dropped(CONTAMINATED):,} rows were dropped in all; one that is in two files counts for both.",
        "## Keys",
        _key_table(report),
        f"Choices are permuted until the keys are balanced; {report.fixed_order:,} rows keep their order because a "
        "choice refers to the place of another.",
        "## Levels",
        _level_table(report),
        f"{_difficulty(report)} Medium begins at {report.level_bounds[0]:.3f}, hard at "
        f"{report.level_bounds[1]:.3f}: a third of all rows each.",
        "## Files",
        _table(
            ["file", "rows", "groups", "largest group", "MB", "SHA-256"],
            [
                [f"`{f.name}`", f.rows, f.groups, f.largest_group, f"{f.bytes / 1e6:.2f}", f"`{f.sha256}`"]
                for f in report.files
            ],
        ),
        "Made with " + ", ".join(f"{name} {version}" for name, version in report.versions.items()) + ".",
    ]
    return "\n\n".join(parts) + "\n"


def _difficulty(report: BuildReport) -> str:
    scored = f"Difficulty is by {_DIFFICULTY[report.difficulty]}"
    if not report.proved:
        return scored
    if report.proved == report.rows:
        return "Difficulty is measured on each row's proof."
    return (
        f"{scored} That of {report.proved:,} rows is measured on their proofs: such a row is put where the share of "
        "the others that are easier is the share of its own scale that lies below it."
    )


_DIFFICULTY = {
    "model": "a model: 1 minus the probability that the base model gives the key.",
    "heuristic": "the heuristic of `training/curation/difficulty.py`: a weak sign, not a measurement.",
}


def _source_table(report: BuildReport) -> str:
    return _table(
        ["source", "split", "licence", "terms", "read", "kept", "train", "validation"],
        [[s.name, s.split, s.licence, s.terms, s.read, s.kept, s.train, s.validation] for s in report.sources],
    )


def _dropped_table(report: BuildReport) -> str:
    rows: list[list[object]] = [
        [reason, *(source.dropped.get(reason, 0) for source in report.sources), report.dropped(reason)]
        for reason in report.reasons
    ]
    return _table(["reason", *(source.name for source in report.sources), "all"], rows)


def _evaluation_table(report: BuildReport) -> str:
    return _table(
        ["file", "rows", "overlaps", "near copies"],
        [[e.name, e.rows, e.overlaps, e.near_copies] for e in report.evaluation],
    )


def _key_table(report: BuildReport) -> str:
    letters = LETTERS[: max(len(counts) for file in report.files for counts in [*file.keys.values(), []])]
    return _table(
        ["file", "choices", *letters],
        [[f"`{file.name}`", n, *counts] for file in report.files for n, counts in file.keys.items()],
    )


def _level_table(report: BuildReport) -> str:
    return _table(
        ["file", *LEVELS],
        [[f"`{file.name}`", *(file.levels[level] for level in LEVELS)] for file in report.files],
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    rows = list(rows)
    if not rows:
        return "None."
    numeric = [all(isinstance(row[i], int) for row in rows if i < len(row)) for i in range(len(head))]
    lines = [
        "| " + " | ".join(head) + " |",
        "|" + "|".join(" ---: " if right else " --- " for right in numeric) + "|",
    ]
    for row in rows:
        cells = [f"{cell:,}" if isinstance(cell, int) else str(cell).replace("|", "\\|") for cell in row]
        lines.append("| " + " | ".join([*cells, *[""] * (len(head) - len(cells))]) + " |")
    return "\n".join(lines)
