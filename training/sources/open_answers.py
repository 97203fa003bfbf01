"""MATH and TriviaQA as multiple choice: the published answer among distractors drawn from other rows' answers."""

from __future__ import annotations

from training.sources.answer_types import TRUTH_VALUE, asked_noun, latex_type, magnitude, normalise, text_type
from training.sources.distractors import OpenAnswer
from training.sources.latex import boxed_answer, canonical_latex, latex_value
from training.sources.source import Converted, Dropped, RawRow, RowContext, Source, from_choices

_COUNTED = ("integer", "decimal", "year", "percentage", "amount of money", "quantity")
"""Types whose kin are those of the same order of magnitude."""


def math_answer(row: RawRow) -> OpenAnswer | None:
    r"""The answer in the solution's last ``\boxed``, or None. Its kin: its order of magnitude, else its subject."""
    text = boxed_answer(row["solution"])
    if text is None:
        return None
    kind = latex_type(text)
    kin = magnitude(text) if kind.startswith(_COUNTED) else row["type"]
    return OpenAnswer(text, kind, frozenset({canonical_latex(text)}), kin, latex_value(text))


def triviaqa_answer(row: RawRow) -> OpenAnswer | None:
    """The answer with its published aliases, or None where it is withheld (``<unk>``). Its kin: the noun asked for."""
    answer = row["answer"]
    text = answer["value"].strip()
    if not normalise(text) or text == "<unk>":
        return None
    wordings = (text, answer["normalized_value"], *answer["aliases"], *answer["normalized_aliases"])
    kind = text_type(text, row["question"])
    return OpenAnswer(
        text=text,
        type=kind,
        forms=frozenset(filter(None, map(normalise, wordings))),
        kin=magnitude(text) if kind in _COUNTED else asked_noun(row["question"]),
        value=latex_value(text.replace(",", "")) if text[-1].isdigit() else None,
        words=tuple(normalise(text).split()),
    )


def math(row: RawRow, context: RowContext) -> Converted | Dropped:
    r"""``problem, level, type, solution``: the key is what the solution boxes; the rest of it is left out."""
    return _among_distractors(math_answer(row), row["problem"], context, subject=row["type"])


def triviaqa(row: RawRow, context: RowContext) -> Converted | Dropped:
    """``question, question_id, answer {value, aliases, normalized_aliases, …}``."""
    return _among_distractors(triviaqa_answer(row), row["question"], context, own_id=row["question_id"])


def _among_distractors(
    key: OpenAnswer | None, question: str, context: RowContext, *, own_id: str | None = None, subject: str | None = None
) -> Converted | Dropped:
    if key is None:
        return Dropped("no key")
    if key.type == TRUTH_VALUE:
        return Dropped("an answer of yes or no")
    if context.pool is None:
        raise ValueError(f"{context.source} needs a pool of answers")
    random = context.random()
    choices = context.pool.distractors(key, question, random)
    if choices is None:
        return Dropped("too few answers of the key's type")
    place = random.randrange(len(choices) + 1)
    choices.insert(place, key.text)
    return from_choices(question, choices, place, own_id=own_id, subject=subject)


OPEN_SOURCES = (
    # The authors' own repository on the hub (hendrycks/competition_math) was closed in January 2025 after a copyright
    # notice by Art of Problem Solving, who publish many of the problems; hence the terms. This copy has all subjects in
    # one configuration.
    Source(
        "math",
        "DigitalLearningGmbH/MATH-lighteval",
        "default",
        "MIT as stated by its authors; disputed by the publisher of the problems",
        "unclear",
        {"train": "train", "test": "test"},
        math,
        open_answer=math_answer,
    ),
    # The "rc" configurations repeat a question for each of its documents; "unfiltered" has each question once.
    Source(
        "triviaqa",
        "mandarjoshi/trivia_qa",
        "unfiltered.nocontext",
        "not stated",
        "unclear",
        {"train": "train", "validation": "validation"},
        triviaqa,
        open_answer=triviaqa_answer,
    ),
)
