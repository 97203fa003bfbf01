"""What a question source is, and what reading one yields."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from agents.core.errors import QuestionError
from agents.core.schema import CHOICE_FIELDS, DISTINCT_CHOICES, MAX_CHOICES, MIN_CHOICES, Question, read_sound_question

if TYPE_CHECKING:
    from training.sources.distractors import AnswerPool, OpenAnswer

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

Terms = Literal["open", "unclear", "non-commercial", "evaluation only"]
"""What may be done with a source. ``open``: a licence that allows training and passing on (share-alike may apply).
``unclear``: no licence is stated, or the stated one is disputed. ``non-commercial``: research use only.
``evaluation only``: its authors ask not to train on it."""

RawRow = Mapping[str, Any]
"""A row as its publisher wrote it."""


@dataclass(frozen=True)
class Proved:
    """What is known of a question that was made together with its proof. Published questions have none of it.

    ``difficulty`` is in [0, 1], measured on the proof: ``training.sources.puzzles.relative_difficulty``. ``level`` is
    what that means. Questions of one ``fingerprint`` have one structure, however they are worded. ``explanation`` says
    why the key holds; it names choices by their text, so it stays true when they are permuted.
    """

    difficulty: float
    level: str
    fingerprint: str
    explanation: str


@dataclass(frozen=True)
class SourceRow:
    """A question of a source. ``id`` is unique over all sources: source, split and the publisher's id or row number."""

    id: str
    source: str
    split: Split
    subject: str | None
    question: Question
    proved: Proved | None = None


@dataclass(frozen=True)
class Dropped:
    """A row that is no usable question. ``reason`` is short and holds nothing of the row, so that it can be counted."""

    reason: str


@dataclass(frozen=True)
class Converted:
    """What a converter makes of a row; ``id`` is the publisher's, or None when the row has none of its own."""

    question: Question
    id: str | None = None
    subject: str | None = None


@dataclass(frozen=True)
class RowContext:
    """What a converter may know besides the row: where it stands, the seed, and the answers of other rows.

    ``pool`` is filled only for a source whose rows have an answer but no choices.
    """

    source: str
    split: Split
    index: int
    seed: int
    pool: AnswerPool | None = None

    def random(self) -> Random:
        """A generator of this row's own, so that what it decides does not depend on which rows were read before."""
        return Random(f"{self.seed}/{self.source}/{self.split}/{self.index}")  # noqa: S311


Converter = Callable[[RawRow, RowContext], Converted | Dropped]


@dataclass(frozen=True)
class Source:
    """A published data set of questions.

    ``splits`` maps our split names to the publisher's, for those whose answers are published. ``terms`` says in one
    word what ``licence`` allows. ``parquet_export`` is set where the repository holds a loading script, which datasets
    no longer runs since version 4: the hub's own conversion to Parquet is read then. ``open_answer`` is set where rows
    have an answer but no choices: it reads the answer, to fill the pool that distractors are drawn from.
    """

    name: str
    hub_id: str
    hub_config: str | None
    licence: str
    terms: Terms
    splits: Mapping[Split, str]
    convert: Converter
    parquet_export: bool = False
    open_answer: Callable[[RawRow], OpenAnswer | None] | None = None


def keyed_question(raw: RawRow, *, topic: str = "") -> Question | Dropped:
    """The question of a row in any shape ``core.schema`` reads, or why it is none. A row without a key is dropped."""
    choices = next((raw[name] for name in CHOICE_FIELDS if name in raw), None)
    if isinstance(choices, (list, Mapping)) and not MIN_CHOICES <= len(choices) <= MAX_CHOICES:
        few = len(choices) < MIN_CHOICES
        return Dropped(f"fewer than {MIN_CHOICES} choices" if few else f"more than {MAX_CHOICES} choices")
    try:
        question = read_sound_question(raw, topic=topic)
    except QuestionError as error:
        if error.expected == DISTINCT_CHOICES:
            return Dropped("repeated choices")
        return Dropped(f"{error.field.partition('[')[0]}: not {error.expected}")
    return Dropped("no key") if question.key is None else question


def from_choices(
    text: Any, choices: Sequence[Any], key: int | None, *, own_id: Any = None, subject: str | None = None
) -> Converted | Dropped:
    """A converter's result from its parts: bare choices, and the key as an index into them or None."""
    raw = {"question": text, "choices": list(choices), "answer_index": key}
    question = keyed_question(raw, topic=subject or "")
    if isinstance(question, Dropped):
        return question
    return Converted(question, None if own_id is None else str(own_id), subject or None)
