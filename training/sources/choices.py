"""Sources that are multiple choice as published: one converter a schema, one line of the table a source.

Schemas and split names are those of the data cards on the hub. A test split is left out where its answers are withheld.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agents.core.schema import LETTERS, strip_labels
from training.sources.source import Converted, Dropped, RawRow, RowContext, Source, Split, from_choices

_TRAIN: Mapping[Split, str] = {"train": "train"}
_TRAIN_VALIDATION: Mapping[Split, str] = {"train": "train", "validation": "validation"}
_ALL: Mapping[Split, str] = {"train": "train", "validation": "validation", "test": "test"}


def _index(value: Any) -> int | None:
    """An index written as a number or as a numeral; None for whatever else, such as the empty label of a test row."""
    text = str(value).strip()
    return int(text) if text.isdecimal() else None


def mmlu(row: RawRow, context: RowContext) -> Converted | Dropped:
    """``question, subject, choices, answer`` (index)."""
    return from_choices(row["question"], row["choices"], _index(row["answer"]), subject=row["subject"])


def labelled(row: RawRow, context: RowContext) -> Converted | Dropped:
    """``id, question, choices {text, label}, answerKey``: ARC, CommonsenseQA, QASC; OpenBookQA's ``question_stem``.

    Labels are letters, or the digits 1 to 4 in a part of ARC. CommonsenseQA's concept becomes the subject.
    """
    labels, answer = row["choices"]["label"], row["answerKey"]
    key = labels.index(answer) if answer in labels else None
    text = row["question_stem"] if "question_stem" in row else row["question"]
    return from_choices(text, row["choices"]["text"], key, own_id=row["id"], subject=row.get("question_concept"))


def sciq(row: RawRow, context: RowContext) -> Converted | Dropped:
    """``question, correct_answer, distractor1..3, support``. The answer has no place of its own: its place is drawn.

    The support paragraph is left out, because it states the answer.
    """
    choices = [row["correct_answer"], row["distractor1"], row["distractor2"], row["distractor3"]]
    converted = from_choices(row["question"], choices, 0)
    if isinstance(converted, Dropped):
        return converted
    order = context.random().sample(range(len(choices)), len(choices))
    return replace(converted, question=converted.question.permuted(order))


def hellaswag(row: RawRow, context: RowContext) -> Converted | Dropped:
    """``ctx, endings, label`` (index as text), ``activity_label``. The WikiHow markers ``[title]`` are taken out."""
    endings = [_without_markers(ending) for ending in row["endings"]]
    subject = row["activity_label"]
    return from_choices(_without_markers(row["ctx"]), endings, _index(row["label"]), subject=subject)


def _without_markers(text: str) -> str:
    """``Mix. [title] Bake [step] Wait`` → ``Mix. Bake. Wait``: a title ends as a sentence does."""
    text = re.sub(r"(?<=[^\s.!?:;,])\s*\[(?:step|substeps?)\]", ".", text)
    return re.sub(r"\s+", " ", re.sub(r"\[[^\]]*\]", " ", text)).strip()


def winogrande(row: RawRow, context: RowContext) -> Converted | Dropped:
    """``sentence`` with ``_`` for the blank, ``option1, option2, answer`` (1 or 2 as text, empty in the test split)."""
    answer = _index(row["answer"])
    key = answer - 1 if answer in (1, 2) else None
    return from_choices(row["sentence"], [row["option1"], row["option2"]], key)


def opentriviaqa(row: RawRow, context: RowContext) -> Converted | Dropped:
    """``category, question, choices, answer`` (the text of the right choice)."""
    answer = row["answer"]
    key = row["choices"].index(answer) if answer in row["choices"] else None
    return from_choices(row["question"], row["choices"], key, subject=row["category"])


def aqua_rat(row: RawRow, context: RowContext) -> Converted | Dropped:
    """``question, options`` (``A)21`` …), ``rationale, correct`` (letter). The rationale is left out."""
    options = strip_labels(row["options"])
    key = LETTERS.index(row["correct"]) if row["correct"] in tuple(LETTERS) else None
    return from_choices(row["question"], options, key)


def logiqa(row: RawRow, context: RowContext) -> Converted | Dropped:
    """``context, query, options, correct_option`` (index)."""
    text = f"{row['context'].strip()}\n{row['query'].strip()}"
    return from_choices(text, row["options"], _index(row["correct_option"]))


CODAH_CATEGORIES = ("idioms", "reference", "polysemy", "negation", "quantitative", "others")


def codah(row: RawRow, context: RowContext) -> Converted | Dropped:
    """``id, question_category`` (index), ``question_propmt`` (so spelt), ``candidate_answers, correct_answer_idx``."""
    category = row["question_category"]
    subject = CODAH_CATEGORIES[category] if 0 <= category < len(CODAH_CATEGORIES) else None
    key = _index(row["correct_answer_idx"])
    return from_choices(row["question_propmt"], row["candidate_answers"], key, own_id=row["id"], subject=subject)


def dream(row: RawRow, context: RowContext) -> Converted | Dropped:
    """``id, dialogue_id, dialogue`` (turns), ``question, choice, answer`` (the text of the right choice)."""
    answer = row["answer"]
    key = row["choice"].index(answer) if answer in row["choice"] else None
    text = "\n".join([*row["dialogue"], row["question"]])
    return from_choices(text, row["choice"], key, own_id=f"{row['dialogue_id']}-{row['id']}")


_ARC_LICENCE = "CC BY-SA 4.0"

CHOICE_SOURCES = (
    # MMLU's own training material is its five-shot "dev" set. Its auxiliary set is a mix of other data sets (RACE among
    # them, research use only, and ARC and OpenBookQA, which have sources of their own), so it stands apart.
    Source(
        "mmlu", "cais/mmlu", "all", "MIT", "open", {"train": "dev", "validation": "validation", "test": "test"}, mmlu
    ),
    Source(
        "mmlu_auxiliary",
        "cais/mmlu",
        "all",
        "MIT for the collection; parts of other data sets, RACE among them (non-commercial research only)",
        "non-commercial",
        {"train": "auxiliary_train"},
        mmlu,
    ),
    Source("sciq", "allenai/sciq", None, "CC BY-NC 3.0", "non-commercial", _ALL, sciq),
    Source("arc_easy", "allenai/ai2_arc", "ARC-Easy", _ARC_LICENCE, "open", _ALL, labelled),
    Source("arc_challenge", "allenai/ai2_arc", "ARC-Challenge", _ARC_LICENCE, "open", _ALL, labelled),
    Source("openbookqa", "allenai/openbookqa", "main", "not stated", "unclear", _ALL, labelled),
    Source("commonsenseqa", "tau/commonsense_qa", None, "MIT", "open", _TRAIN_VALIDATION, labelled),
    Source("qasc", "allenai/qasc", None, "CC BY 4.0", "open", _TRAIN_VALIDATION, labelled),
    Source("hellaswag", "Rowan/hellaswag", "default", "MIT", "open", _TRAIN_VALIDATION, hellaswag, parquet_export=True),
    Source(
        "winogrande",
        "allenai/winogrande",
        "winogrande_xl",
        "CC BY",
        "open",
        _TRAIN_VALIDATION,
        winogrande,
        parquet_export=True,
    ),
    Source("opentriviaqa", "kth8/OpenTriviaQA", None, "CC BY-SA 4.0", "open", _TRAIN, opentriviaqa),
    Source("aqua_rat", "deepmind/aqua_rat", "raw", "Apache-2.0", "open", _ALL, aqua_rat),
    Source("logiqa", "lucasmccabe/logiqa", "default", "not stated", "unclear", _ALL, logiqa, parquet_export=True),
    Source("codah", "jaredfern/codah", "fold_0", "ODC-By 1.0", "open", _ALL, codah),
    Source(
        "dream",
        "dataset-org/dream",
        "plain_text",
        "non-commercial research purpose only (the authors' license.txt)",
        "non-commercial",
        _ALL,
        dream,
        parquet_export=True,
    ),
)
