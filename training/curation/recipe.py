"""What a data set is made of and how it is cleaned: the `data:` section of a recipe."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents.core.text_similarity import SIMILAR
from training.sources.puzzles import PUZZLES
from training.sources.source import Split

Similarity = Annotated[float, Field(gt=0, le=1)]


class SourceRecipe(BaseModel):
    """One source to draw from: a known name or a JSON Lines file, as ``training.sources.read_source`` takes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    split: Split = "train"
    rows: int | None = Field(default=None, ge=1)
    """At most so many rows are drawn from it, before cleaning; None draws all. Puzzles have no end and need it."""


class DataRecipe(BaseModel):
    """Everything that decides the bytes of the data set, together with the sources' own contents."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    output: str
    """The folder that is written; one that an earlier build wrote is replaced as a whole."""
    sources: list[SourceRecipe] = Field(min_length=1)
    evaluation: list[str] = []
    """Rows that must not be trained on: files or names as ``read_source`` takes them, or SOURCE:SPLIT."""
    allow_evaluation_only: bool = False
    """Train on sources whose authors ask not to (terms "evaluation only"), which are refused otherwise.

    What is measured on such a benchmark afterwards says nothing, and passing the model on may break its terms. As
    ``evaluation`` they are always fine.
    """
    rows: int | None = Field(default=None, ge=1)
    """At most so many rows in all after cleaning, each source in proportion to what is left of it."""
    validation_share: float = Field(default=0.1, ge=0, lt=1)
    near_duplicate_similarity: Similarity = SIMILAR
    """Jaccard similarity from which two rows with the same key text count as one; 1 keeps all but exact copies."""
    group_similarity: Similarity = 0.5
    """Jaccard similarity from which two rows stay on the same side of the split."""
    contamination_ngram: int = Field(default=13, ge=2)
    """Words in a row that a question shares with an evaluation question to be dropped."""
    seed: int = 0

    @model_validator(mode="after")
    def _consistent(self) -> DataRecipe:
        if self.group_similarity > self.near_duplicate_similarity:
            raise ValueError("group_similarity must not be above near_duplicate_similarity")
        drawn = [(source.name, source.split) for source in self.sources]
        if repeated := next((pair for pair in drawn if drawn.count(pair) > 1), None):
            raise ValueError(f"sources must differ: {repeated[0]} ({repeated[1]}) is listed twice")
        if any(name.partition(":")[0] == PUZZLES for name in self.evaluation):
            raise ValueError(f"evaluation must not list {PUZZLES}: no structure is in two of their splits")
        return self
