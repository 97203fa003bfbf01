"""The numbers of a build: `build.json`, from which the card, the plot and the terminal are made."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from agents.core.errors import FileError, file_errors
from training.curation.recipe import DataRecipe

BUILD_FILE = "build.json"
TRAIN, VALIDATION = "train.parquet", "validation.parquet"
CARD = "card.md"
PICTURE = "composition.svg"
"""The picture in the card: it is copied wherever the card is."""

EXACT_DUPLICATE = "exact duplicate"
CONTRADICTION = "same question, other key"
CONTAMINATED = "in an evaluation file"
NEAR_DUPLICATE = "near duplicate"
NOT_DRAWN = "not drawn"

REASONS = (EXACT_DUPLICATE, CONTRADICTION, CONTAMINATED, NEAR_DUPLICATE, NOT_DRAWN)
"""Reasons for dropping a row, in the order of the checks. A source's own reasons come before them."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceReport(_Frozen):
    """One source of the recipe. ``read`` is ``kept`` and everything in ``dropped``, by reason."""

    name: str
    split: str
    licence: str
    terms: str
    """What the licence allows, in a word or two; see ``training.sources.source.Terms``."""
    read: int
    dropped: dict[str, int]
    train: int
    validation: int
    levels: dict[str, int]
    content_sha256: str
    """Of the rows as they were read: ids, texts, choices and keys."""

    @property
    def kept(self) -> int:
        return self.train + self.validation


class EvaluationReport(_Frozen):
    """One evaluation file, and how many rows of the sources were dropped for it.

    A row that is in two evaluation files counts for both. ``near_copies`` share no run of words with it but reach the
    recipe's near-duplicate similarity, whatever their key.
    """

    name: str
    rows: int
    overlaps: int
    near_copies: int
    content_sha256: str


class FileReport(_Frozen):
    """One Parquet file. ``keys`` counts, by number of choices, how often each letter is the key."""

    name: str
    rows: int
    groups: int
    largest_group: int
    levels: dict[str, int]
    keys: dict[int, list[int]]
    bytes: int
    sha256: str


class BuildReport(_Frozen):
    """A whole build. ``level_bounds`` are the difficulties at which medium and hard begin."""

    recipe: DataRecipe
    difficulty: Literal["heuristic", "model"]
    level_bounds: tuple[float, float]
    proved: int = 0
    """Rows whose difficulty was measured on their proof; ``difficulty`` says where that of the others is from."""
    fixed_order: int
    """Rows whose choices refer to each other's place, so that they were not permuted."""
    sources: list[SourceReport]
    evaluation: list[EvaluationReport]
    files: list[FileReport]
    versions: dict[str, str]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def reasons(self) -> list[str]:
        """Every reason for which a row was dropped: those of the sources themselves, then those of ``REASONS``."""
        found = dict.fromkeys(reason for source in self.sources for reason in source.dropped)
        return [r for r in found if r not in REASONS] + [r for r in REASONS if r in found]

    def dropped(self, reason: str) -> int:
        return sum(source.dropped.get(reason, 0) for source in self.sources)


def read_report(folder: Path) -> BuildReport:
    """The report of a data set. Raises FileError when the folder holds none that can be read."""
    path = folder / BUILD_FILE
    expected = "the build.json of a folder that `aiac data build` wrote"
    with file_errors(path, expected):
        data = path.read_bytes()
    try:
        return BuildReport.model_validate_json(data)
    except ValidationError:
        raise FileError(str(path), "contents of another form", expected) from None
