"""Every shape a question is seen in is read; what cannot be read is refused with field, found and expected."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.errors import QuestionError
from agents.core.schema import (
    DISTINCT_CHOICES,
    LETTERS,
    MAX_CHOICE_CHARS,
    MAX_JSON_DEPTH,
    MAX_QUESTION_CHARS,
    Answer,
    BrokenRow,
    Question,
    key_index,
    read_question,
    read_questions,
    read_sound_question,
    strip_labels,
)

reproducibly = settings(derandomize=True, deadline=None)

COLOURS = ("red", "green", "blue", "grey")
EXPECTED = Question("Which?", COLOURS, topic="Colours", key=1)
LABELLED = ["A) red", "B) green", "C) blue", "D) grey"]


def row(**changes: Any) -> dict[str, Any]:
    return {"topic": "Colours", "question": "Which?", "choices": LABELLED, "answer": "B", **changes}


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in row().items() if name != field}


@pytest.mark.parametrize(
    "choices",
    [
        LABELLED,
        list(COLOURS),
        ["A) A) red", "B) B) green", "C) C) blue", "D) D) grey"],
        ["A) A) A) red", "B) green", "C) C) blue", "D) grey"],
        ["A. red", "B. green", "C. blue", "D. grey"],
        ["A: red", "B: green", "C: blue", "D: grey"],
        ["(A) red", "(B) green", "(C) blue", "(D) grey"],
        ["a) red", "b) green", "c) blue", "d) grey"],
        ["A)red", "B)green", "C)blue", "D)grey"],
        ["  A)  red ", "B) green\n", "\tC) blue", "D) grey"],
        ["B) green", "A) red", "D) grey", "C) blue"],
        {"A": "red", "B": "green", "C": "blue", "D": "grey"},
        {"a": "red", "b": "green", "c": "blue", "d": "grey"},
        {"D": "grey", "B": "green", "A": "red", "C": "blue"},
        {"A": "A) red", "B": "B) green", "C": "C) blue", "D": "D) grey"},
    ],
    ids=str,
)
def test_choices_are_read_from_every_shape(choices: Any) -> None:
    assert read_question(row(choices=choices)) == EXPECTED


def test_choices_may_be_called_options() -> None:
    assert read_question({**without("choices"), "options": LABELLED}) == EXPECTED


@pytest.mark.parametrize(
    "choices",
    [
        ("A. Einstein", "Newton", "Bohr", "Curie"),
        ("A", "B", "C", "D"),
        ("B) and C)", "A) only", "none", "all"),
        ("A)", "B)", "C)", "D)"),
        ("I. Newton", "B. Russell", "C. Babbage", "D. Knuth"),
    ],
)
def test_letters_that_are_no_labels_stay_text(choices: tuple[str, ...]) -> None:
    assert read_question(row(choices=list(choices))).choices == choices


@pytest.mark.parametrize("value", ["B", "b", " B ", "B) green", "b) green", "B. green", "(B) green", "green", "B)"])
def test_a_key_is_a_letter_or_a_label_with_text_or_the_text(value: str) -> None:
    assert read_question(row(answer=value)) == EXPECTED


@pytest.mark.parametrize("field", ["answer", "expected_answer", "correct_answer", "expected_answer_letter"])
@pytest.mark.parametrize("value", ["B", "green"])
def test_a_key_is_read_from_every_field_that_names_one(field: str, value: str) -> None:
    assert read_question({**without("answer"), field: value}) == EXPECTED


def test_a_key_may_be_an_index_from_zero() -> None:
    assert read_question({**without("answer"), "answer_index": 1}) == EXPECTED


@pytest.mark.parametrize("value", [None, "", "E", "purple", 4, -1, True, 1.5, [1], {"letter": "B"}])
def test_a_key_that_makes_no_sense_is_no_key_and_no_error(value: Any) -> None:
    assert read_question(row(answer=value)).key is None


def test_a_field_without_a_usable_key_leaves_it_to_the_next() -> None:
    assert read_question(row(answer="", expected_answer="purple", correct_answer="B")) == EXPECTED


def test_a_choice_that_is_itself_a_letter_does_not_shadow_the_label() -> None:
    assert key_index("B", ["B", "A"]) == 1


def test_what_else_a_row_carries_is_left_behind() -> None:
    extras = {"explanation": "B, of course", "reasoning": "B", "id": 7, "difficulty": "hard", "tokens": 3, "latency": 1}
    assert read_question(row(**extras)) == EXPECTED


@pytest.mark.parametrize(
    "raw",
    [json.dumps(row()), [row()], [json.dumps(row())], json.dumps([row()])],
    ids=["JSON text", "list of one", "list of one JSON text", "JSON text of a list"],
)
def test_a_question_is_unwrapped(raw: Any) -> None:
    assert read_question(raw) == EXPECTED


def test_the_rows_own_topic_comes_before_the_one_given() -> None:
    assert read_question(row(), topic="Shapes").topic == "Colours"


@pytest.mark.parametrize("raw", [without("topic"), row(topic=None), row(topic=3), row(topic="\ud800")])
def test_without_a_usable_topic_of_its_own_a_row_has_the_one_given(raw: Any) -> None:
    assert read_question(raw, topic="Shapes").topic == "Shapes"


LIST = [row(), row(answer="A")]
BOTH = [EXPECTED, Question("Which?", COLOURS, topic="Colours", key=0)]


@pytest.mark.parametrize(
    "payload",
    [
        LIST,
        {"questions": LIST},
        {"questions": json.dumps(LIST)},
        {"name": "ours", "questions": LIST},
        json.dumps(LIST),
        json.dumps({"questions": LIST}),
        [json.dumps(entry) for entry in LIST],
        {"Colours": [without("topic"), {**without("topic"), "answer": "A"}]},
        {"Colours": LIST[:1], "Others": LIST[1:]},
    ],
    ids=lambda payload: str(payload)[:30],
)
def test_rows_are_found_in_every_container(payload: Any) -> None:
    assert read_questions(payload) == BOTH


@pytest.mark.parametrize("payload", [row(), {"questions": row()}, json.dumps(row())])
def test_a_single_question_is_a_payload_of_one_row(payload: Any) -> None:
    assert read_questions(payload) == [EXPECTED]


@pytest.mark.parametrize("payload", [[], {"questions": []}, "[]", {"Colours": []}])
def test_an_empty_container_has_no_rows(payload: Any) -> None:
    assert read_questions(payload) == []


def test_lists_by_topic_give_their_topic_to_rows_without_one() -> None:
    payload = {"Colours": [without("topic")], "Shapes": [without("topic")]}
    assert [question.topic for question in read_questions(payload) if isinstance(question, Question)] == [
        "Colours",
        "Shapes",
    ]


def test_a_broken_row_stays_in_its_place_and_the_others_are_read() -> None:
    payload = [row(), "not JSON", ["text", 12, 0.5], row(choices=LABELLED[:1]), None, row()]
    assert read_questions(payload) == [
        EXPECTED,
        BrokenRow("question row: found text that is not JSON: 'not JSON'; expected a JSON object"),
        BrokenRow("question row: found a list of 3; expected an object with question and choices"),
        BrokenRow("choices: found 1 choices; expected 2 to 10 choices"),
        BrokenRow("question row: found null; expected an object with question and choices"),
        EXPECTED,
    ]


OBJECT = "an object with question and choices"
TEXT = "a non-empty string"
COUNT = "2 to 10 choices"
CHOICES = f"a list of {COUNT}, or an object of them by letter"
BY_LETTER = "the letters A, B, C, … once each"
UNICODE = "valid Unicode text"


@pytest.mark.parametrize(
    ("raw", "field", "found", "expected"),
    [
        (None, "question row", "null", OBJECT),
        (5, "question row", "int 5", OBJECT),
        ([], "question row", "a list of 0", OBJECT),
        (["text", 12, 0.5], "question row", "a list of 3", OBJECT),
        ("5", "question row", "int 5", OBJECT),
        ("{", "question row", "text that is not JSON: '{'", "a JSON object"),
        ("", "question row", "text that is not JSON: an empty string", "a JSON object"),
        ("x" * 61, "question row", "text that is not JSON: a string of 61 characters", "a JSON object"),
        ("[" * 100_000, "question row", "text that is not JSON: a string of 100,000 characters", "a JSON object"),
        ({}, "question", "no such field", TEXT),
        (without("question"), "question", "no such field", TEXT),
        (row(question=None), "question", "no such field", TEXT),
        (row(question=5), "question", "int 5", TEXT),
        (row(question=["Which?"]), "question", "a list of 1", TEXT),
        (row(question="a\ud800b"), "question", "a lone surrogate at character 1", UNICODE),
        (without("choices"), "choices", "no such field", CHOICES),
        (row(choices=None), "choices", "no such field", CHOICES),
        (row(choices="A) red B) green"), "choices", "'A) red B) green'", CHOICES),
        (row(choices=7), "choices", "int 7", CHOICES),
        (row(choices=[]), "choices", "0 choices", COUNT),
        (row(choices={}), "choices", "0 choices", COUNT),
        (row(choices=["red"]), "choices", "1 choices", COUNT),
        (row(choices=[str(i) for i in range(11)]), "choices", "11 choices", COUNT),
        ({**without("choices"), "options": ["red"]}, "options", "1 choices", COUNT),
        (row(choices={"A": "red", "C": "green"}), "choices", "the keys 'A, C'", BY_LETTER),
        (row(choices={"A": "red", "a": "green"}), "choices", "the keys 'A, A'", BY_LETTER),
        (row(choices={"1": "red", "2": "green"}), "choices", "the keys '1, 2'", BY_LETTER),
        (row(choices=["red", None]), "choices[1]", "no such field", TEXT),
        (row(choices=["red", 2]), "choices[1]", "int 2", TEXT),
        (row(choices=["\udfffred", "green"]), "choices[0]", "a lone surrogate at character 0", UNICODE),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_what_cannot_be_read_is_named(raw: Any, field: str, found: str, expected: str) -> None:
    with pytest.raises(QuestionError) as caught:
        read_question(raw)
    assert (caught.value.field, caught.value.found, caught.value.expected) == (field, found, expected)
    assert str(caught.value) == f"{field}: found {found}; expected {expected}"


@pytest.mark.parametrize(
    ("raw", "field", "found", "expected"),
    [
        (row(question="   "), "question", "an empty string", TEXT),
        (row(question="x" * 20_001), "question", "20,001 characters", f"at most {MAX_QUESTION_CHARS:,}"),
        (row(choices=["red", " "]), "choices[1]", "an empty string", TEXT),
        (row(choices=["red", "x" * 4_001]), "choices[1]", "4,001 characters", f"at most {MAX_CHOICE_CHARS:,}"),
        (row(choices=["red", "blue", "red"]), "choices[2]", "'red' again, as in choices[0]", "distinct choices"),
        (row(choices=["A) red", "B) red"]), "choices[1]", "'red' again, as in choices[0]", "distinct choices"),
        ({**without("choices"), "options": ["a", "a"]}, "options[1]", "'a' again, as in options[0]", DISTINCT_CHOICES),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_what_is_answered_may_be_too_poor_to_ask(raw: Any, field: str, found: str, expected: str) -> None:
    assert isinstance(read_question(raw), Question)
    with pytest.raises(QuestionError) as caught:
        read_sound_question(raw)
    assert (caught.value.field, caught.value.found, caught.value.expected) == (field, found, expected)


def test_equal_choices_are_one_choice_in_several_places() -> None:
    question = read_question(row(choices=["A) red", "B) green", "C) red", "D) red"], answer="D"))
    assert question.places == [0, 1, 0, 0]
    assert question.distinct() == Question("Which?", ("red", "green"), topic="Colours", key=0)
    assert question.key_letter == "D"
    assert EXPECTED.distinct() is EXPECTED


def test_a_question_with_a_list_of_questions_beside_it_is_itself() -> None:
    assert read_questions({**row(), "questions": [1, 2]}) == [EXPECTED]


@pytest.mark.parametrize(
    ("payload", "found", "expected"),
    [
        (None, "null", "an object, a list, or an object with questions"),
        (5, "int 5", "an object, a list, or an object with questions"),
        ({"questions": 5}, "int 5", "an object, a list, or an object with questions"),
        ("nonsense", "text that is not JSON: 'nonsense'", "a JSON object"),
    ],
)
def test_a_payload_that_holds_no_rows_is_refused(payload: Any, found: str, expected: str) -> None:
    with pytest.raises(QuestionError) as caught:
        read_questions(payload)
    assert (caught.value.field, caught.value.found, caught.value.expected) == ("questions", found, expected)


def nested(levels: int) -> Any:
    payload: Any = [row()]
    for _ in range(levels):
        payload = {"questions": payload}
    return payload


def test_containers_are_followed_to_a_fixed_depth() -> None:
    assert read_questions(nested(MAX_JSON_DEPTH)) == [EXPECTED]
    with pytest.raises(QuestionError, match="more than 8 nested containers"):
        read_questions(nested(MAX_JSON_DEPTH + 1))


@pytest.mark.parametrize("letter", ["", "b", "K", "AB", "B)"])
def test_an_answer_is_exactly_one_upper_case_letter(letter: str) -> None:
    with pytest.raises(QuestionError, match="one upper-case letter from A to J"):
        Answer(letter)


def test_an_answer_in_the_organisers_form() -> None:
    assert Answer("B", "why").canonical() == {"answer": "B", "reasoning": "why"}


def test_a_question_in_the_organisers_form() -> None:
    assert EXPECTED.canonical("because") == {
        "topic": "Colours",
        "question": "Which?",
        "choices": LABELLED,
        "answer": "B",
        "explanation": "because",
    }


def test_a_question_without_a_key_has_no_canonical_form() -> None:
    with pytest.raises(QuestionError) as caught:
        Question("Which?", ("red", "green")).canonical()
    assert str(caught.value) == "answer: found no key; expected one of A, B"


words = st.text("abcxyzABC ().:é", min_size=1, max_size=12).map(str.strip).filter(bool)
plain = st.text("klmnopqrstuvwxyz é", min_size=2, max_size=12).map(str.strip).filter(bool)


@st.composite
def questions(draw: st.DrawFn, texts: st.SearchStrategy[str] = plain) -> Question:
    choices = draw(st.lists(texts, min_size=2, max_size=len(LETTERS), unique=True))
    return Question(draw(words), tuple(choices), draw(words), draw(st.integers(0, len(choices) - 1)))


@reproducibly
@given(questions())
def test_the_canonical_form_reads_back_as_the_same_question(question: Question) -> None:
    assert read_question(question.canonical()) == question
    assert read_question(json.dumps(question.canonical())) == question


@reproducibly
@given(st.lists(words, min_size=2, max_size=5, unique=True), st.integers(0, 1))
def test_whatever_was_read_survives_being_written_and_read_again(choices: list[str], key: int) -> None:
    try:
        question = read_question({"question": "Which?", "choices": choices, "answer": key})
    except QuestionError:
        return
    # A choice that hides a second label behind a label without a space is a case of its own, below.
    if question.choices == tuple(strip_labels(question.choices)):
        assert read_question(question.canonical()) == question


@reproducibly
@given(questions(), st.integers(1, 3), st.sampled_from(["{})", "({})", "{}.", "{}:"]))
def test_labels_put_on_any_number_of_times_come_off_again(question: Question, times: int, style: str) -> None:
    labelled = list(question.choices)
    for _ in range(times):
        labelled = [f"{style.format(LETTERS[i])} {text}" for i, text in enumerate(labelled)]
    assert strip_labels(labelled) == list(question.choices)


@reproducibly
@given(questions(), st.data())
def test_a_permuted_question_is_the_same_question(question: Question, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(question.choices))))
    shown = question.permuted(order)
    assert shown.choices == tuple(question.choices[choice] for choice in order)
    assert question.key is not None
    assert shown.key is not None
    assert shown.choices[shown.key] == question.choices[question.key]
    back = [order.index(choice) for choice in range(len(order))]
    assert shown.permuted(back) == question


def test_labels_behind_labels_without_a_space_are_read_once_and_for_all() -> None:
    question = read_question({"question": "Which?", "choices": ["A)A. red", "B)B. green"], "answer": "A"})
    assert read_question(question.canonical()) == question


def test_a_choice_of_the_greatest_length_can_be_written_and_read_again() -> None:
    question = read_question({"question": "Which?", "choices": ["x" * MAX_CHOICE_CHARS, "y"], "answer": "A"})
    assert read_question(question.canonical()) == question


def test_a_key_that_repeats_a_choice_as_it_is_written_is_that_choice() -> None:
    assert read_question({"question": "Which?", "choices": ["A)red", "B)green"], "answer": "B)green"}).key == 1
