"""Question sources: each a small converter from what its publisher wrote to ``agents.core.schema.Question``."""

from training.sources.licences import Licence, licence_of
from training.sources.puzzles import PUZZLES
from training.sources.reading import SOURCES, read_source
from training.sources.source import SPLITS, Dropped, Proved, Source, SourceRow, Split, Terms

__all__ = [
    "PUZZLES",
    "SOURCES",
    "SPLITS",
    "Dropped",
    "Licence",
    "Proved",
    "Source",
    "SourceRow",
    "Split",
    "Terms",
    "licence_of",
    "read_source",
]
