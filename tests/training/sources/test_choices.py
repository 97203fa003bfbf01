"""Each multiple-choice source is converted from its publisher's own schema; contents here are invented."""

from __future__ import annotations

from typing import Any

import pytest

from agents.core.schema import Question
from training.sources import SOURCES, Dropped, SourceRow
from training.sources.reading import convert_rows


def convert(name: str, *rows: dict[str, Any], seed: int = 0) -> list[SourceRow | Dropped]:
    return list(convert_rows(SOURCES[name], "train", lambda: rows, seed=seed))


def labelled(text: list[str], label: str = "ABCDEFGH") -> dict[str, list[str]]:
    return {"text": text, "label": list(label[: len(text)])}


ARC = {"id": "Mercury_1", "question": "What melts ice?", "choices": labelled(["heat", "cold"]), "answerKey": "A"}
SCIQ = {
    "question": "What gas do plants take in?",
    "distractor3": "neon",
    "distractor1": "oxygen",
    "distractor2": "argon",
    "correct_answer": "carbon dioxide",
    "support": "Plants take in carbon dioxide.",
}
HELLASWAG = {
    "ind": 4,
    "activity_label": "Baking bread",
    "ctx_a": "A man stands in a kitchen.",
    "ctx_b": "he",
    "ctx": "A man stands in a kitchen. he",
    "endings": ["kneads the dough.", "swims away.", "paints it.", "sings [substeps] Loudly."],
    "source_id": "activitynet~v_1",
    "split": "train",
    "split_type": "indomain",
    "label": "0",
}
WINOGRANDE = {"sentence": "Ann thanked Eve because _ helped.", "option1": "Ann", "option2": "Eve", "answer": "2"}
LOGIQA = {"context": "All roses are red.", "query": "Which follows?", "options": ["a", "b", "c", "d"]}
CODAH = {
    "id": 7,
    "question_category": 3,
    "question_propmt": "The shop was not open. I",
    "candidate_answers": ["bought bread.", "went home.", "ate there.", "slept in it."],
    "correct_answer_idx": 1,
}
DREAM = {
    "id": 12,
    "dialogue_id": "4-99",
    "dialogue": ["W: Is the bus late?", "M: It left at six."],
    "question": "When did the bus leave?",
    "choice": ["At five.", "At six.", "At seven."],
    "answer": "At six.",
}


@pytest.mark.parametrize(
    ("name", "row", "expected", "row_id"),
    [
        (
            "mmlu",
            {
                "question": "Find 1+1.",
                "subject": "elementary_mathematics",
                "choices": ["1", "2", "3", "4"],
                "answer": 1,
            },
            Question("Find 1+1.", ("1", "2", "3", "4"), "elementary_mathematics", 1),
            "mmlu/train/0",
        ),
        (
            "mmlu_auxiliary",
            {"question": "Find 1+2.", "subject": "", "choices": ["1", "2", "3", "4"], "answer": 2},
            Question("Find 1+2.", ("1", "2", "3", "4"), "", 2),
            "mmlu_auxiliary/train/0",
        ),
        ("arc_easy", ARC, Question("What melts ice?", ("heat", "cold"), "", 0), "arc_easy/train/Mercury_1"),
        (
            "arc_challenge",
            ARC | {"choices": labelled(["heat", "cold", "wind", "salt"], "1234"), "answerKey": "4"},
            Question("What melts ice?", ("heat", "cold", "wind", "salt"), "", 3),
            "arc_challenge/train/Mercury_1",
        ),
        (
            "openbookqa",
            {"id": "7-1", "question_stem": "The sun is", "choices": labelled(["hot", "icy"]), "answerKey": "A"},
            Question("The sun is", ("hot", "icy"), "", 0),
            "openbookqa/train/7-1",
        ),
        (
            "commonsenseqa",
            {
                "id": "0f",
                "question": "Where is a pew?",
                "question_concept": "pew",
                "choices": labelled(["bank", "church", "bar", "bus", "zoo"]),
                "answerKey": "B",
            },
            Question("Where is a pew?", ("bank", "church", "bar", "bus", "zoo"), "pew", 1),
            "commonsenseqa/train/0f",
        ),
        (
            "qasc",
            {
                "id": "3E",
                "question": "Clouds bring what?",
                "choices": labelled(["sand", "rain", "ore", "ash", "tin", "oil", "salt", "wood"]),
                "answerKey": "B",
                "fact1": "Clouds bring rain.",
                "fact2": "Rain is water.",
                "combinedfact": "Clouds bring water.",
                "formatted_question": "Clouds bring what? (A) sand (B) rain",
            },
            Question("Clouds bring what?", ("sand", "rain", "ore", "ash", "tin", "oil", "salt", "wood"), "", 1),
            "qasc/train/3E",
        ),
        (
            "hellaswag",
            HELLASWAG,
            Question(
                "A man stands in a kitchen. he",
                ("kneads the dough.", "swims away.", "paints it.", "sings. Loudly."),
                "Baking bread",
                0,
            ),
            "hellaswag/train/0",
        ),
        (
            "hellaswag",
            HELLASWAG | {"ctx": "[header] How to bake [title] Mix flour. [step] Stir well", "label": "2"},
            Question(
                "How to bake Mix flour. Stir well",
                ("kneads the dough.", "swims away.", "paints it.", "sings. Loudly."),
                "Baking bread",
                2,
            ),
            "hellaswag/train/0",
        ),
        (
            "winogrande",
            WINOGRANDE,
            Question("Ann thanked Eve because _ helped.", ("Ann", "Eve"), "", 1),
            "winogrande/train/0",
        ),
        (
            "opentriviaqa",
            {"category": "animals", "question": "Which barks?", "choices": ["cat", "dog"], "answer": "dog"},
            Question("Which barks?", ("cat", "dog"), "animals", 1),
            "opentriviaqa/train/0",
        ),
        (
            "aqua_rat",
            {
                "question": "3 pens cost 6. One costs?",
                "options": ["A)1", "B)2", "C)3", "D)4", "E)5"],
                "rationale": "6/3=2, answer B",
                "correct": "B",
            },
            Question("3 pens cost 6. One costs?", ("1", "2", "3", "4", "5"), "", 1),
            "aqua_rat/train/0",
        ),
        (
            "logiqa",
            LOGIQA | {"correct_option": 2},
            Question("All roses are red.\nWhich follows?", ("a", "b", "c", "d"), "", 2),
            "logiqa/train/0",
        ),
        (
            "logiqa",
            LOGIQA | {"correct_option": "3"},
            Question("All roses are red.\nWhich follows?", ("a", "b", "c", "d"), "", 3),
            "logiqa/train/0",
        ),
        (
            "codah",
            CODAH,
            Question(
                "The shop was not open. I",
                ("bought bread.", "went home.", "ate there.", "slept in it."),
                "negation",
                1,
            ),
            "codah/train/7",
        ),
        (
            "dream",
            DREAM,
            Question(
                "W: Is the bus late?\nM: It left at six.\nWhen did the bus leave?",
                ("At five.", "At six.", "At seven."),
                "",
                1,
            ),
            "dream/train/4-99-12",
        ),
    ],
)
def test_a_row_in_its_publishers_schema_becomes_a_question(
    name: str, row: dict[str, Any], expected: Question, row_id: str
) -> None:
    assert convert(name, row) == [SourceRow(row_id, name, "train", expected.topic or None, expected)]


def test_the_support_and_place_of_a_sciq_answer_give_nothing_away() -> None:
    rows = [row for row in convert("sciq", *[SCIQ] * 400) if isinstance(row, SourceRow)]
    assert all(sorted(row.question.choices) == ["argon", "carbon dioxide", "neon", "oxygen"] for row in rows)
    assert all(row.question.choices[row.question.key or 0] == "carbon dioxide" for row in rows)
    assert all("Plants take" not in row.question.text for row in rows)
    places = [sum(row.question.key == place for row in rows) for place in range(4)]
    assert min(places) > 70  # 100 expected; 3.5 standard deviations
    assert rows == convert("sciq", *[SCIQ] * 400)
    assert rows != convert("sciq", *[SCIQ] * 400, seed=1)


@pytest.mark.parametrize(
    ("name", "row", "reason"),
    [
        ("arc_easy", ARC | {"answerKey": ""}, "no key"),
        ("arc_easy", ARC | {"answerKey": "C"}, "no key"),
        ("winogrande", WINOGRANDE | {"answer": ""}, "no key"),
        ("winogrande", WINOGRANDE | {"answer": "0"}, "no key"),
        ("hellaswag", HELLASWAG | {"label": ""}, "no key"),
        ("logiqa", LOGIQA | {"correct_option": 4}, "no key"),
        ("dream", DREAM | {"answer": "At eight."}, "no key"),
        ("aqua_rat", {"question": "1?", "options": ["A)1", "B)2"], "rationale": "", "correct": "1"}, "no key"),
        ("arc_easy", ARC | {"choices": labelled(["heat", "heat"])}, "repeated choices"),
        ("arc_easy", ARC | {"choices": labelled(["heat"])}, "fewer than 2 choices"),
        (
            "mmlu",
            {"question": "1?", "subject": "x", "choices": list("abcdefghijk"), "answer": 0},
            "more than 10 choices",
        ),
        ("arc_easy", ARC | {"question": "  "}, "question: not a non-empty string"),
        ("arc_easy", ARC | {"choices": labelled(["heat", ""])}, "choices: not a non-empty string"),
    ],
)
def test_a_row_that_is_no_usable_question_is_dropped_for_a_reason_that_can_be_counted(
    name: str, row: dict[str, Any], reason: str
) -> None:
    assert convert(name, row) == [Dropped(reason)]
