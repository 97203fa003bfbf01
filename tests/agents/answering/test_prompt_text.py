"""The question is found in a prompt of the organisers' making, whatever its own text holds."""

from __future__ import annotations

import pytest

from agents.answering.prompt_text import find_question, split_choices
from agents.core.schema import LETTERS, Question

FORMAT = 'RESPONSE FORMAT: Strictly generate a valid JSON object\n{"answer": "One of A, B, C, D", "reasoning": "..."}'


def prompt(question: str, choices: str) -> str:
    return f"INSTRUCTIONS:\n1. Read.\n\nNow answer:\nQuestion: {question}\nChoices: {choices}\n\n{FORMAT}"


FOUR = "A) red B) green C) blue D) grey"
COLOURS = ("red", "green", "blue", "grey")


@pytest.mark.parametrize(
    "text",
    [
        "Which?",
        "Which of A) and B) is right?",
        "Which?\nChoices: are hard.",
        "Choices: which?",
        "Who said this?\nChoices: A) x B) y",
        "First line.\nQuestion: second line?",
        "Three\n\nparagraphs\n\nhere?",
    ],
)
def test_the_question_is_found_whatever_its_own_text_holds(text: str) -> None:
    assert find_question(prompt(text, FOUR)) == Question(text, COLOURS)


def test_ten_choices_are_found() -> None:
    line = " ".join(f"{letter}) choice {letter.lower()}" for letter in LETTERS)
    found = find_question(prompt("Which?", line))
    assert found is not None
    assert found.choices == tuple(f"choice {letter.lower()}" for letter in LETTERS)


def test_doubled_labels_come_off() -> None:
    found = find_question(prompt("Which?", "A) A) red B) B) green C) C) blue D) D) grey"))
    assert found == Question("Which?", COLOURS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Write a haiku.",
        "Question: Which?",
        f"Choices: {FOUR}",
        f"Choices: {FOUR}\nQuestion: Which?",
        "Question: Which?\nChoices: A) red",
        "Question: Which?\nChoices: red, green",
        f"A Question: Which?\nChoices: {FOUR}",
    ],
)
def test_what_is_no_multiple_choice_question_is_none(text: str) -> None:
    assert find_question(text) is None


@pytest.mark.parametrize(
    ("text", "line", "choices"),
    [
        ("", FOUR, COLOURS),
        ("Which?", "A) red B) red C) red D) blue", ("red", "red", "red", "blue")),
        ("Which?", "A) red\n\nroses B) green C) blue D) grey", ("red\n\nroses", "green", "blue", "grey")),
        ("Which?", "A) red B) green C) blue D) grey E) pink", ("red", "green", "blue", "grey E) pink")),
        ("Which?", "A)  B)  C)  D) ", ("", "", "", "")),
    ],
)
def test_with_a_number_so_many_choices_are_found(text: str, line: str, choices: tuple[str, ...]) -> None:
    assert find_question(prompt(text, line), 4) == Question(text, choices)


@pytest.mark.parametrize("line", ["Apple Banana Cherry Date", "a) red b) green c) blue d) grey", "A) red B) green", ""])
def test_choices_without_their_labels_are_chosen_by_their_letters(line: str) -> None:
    assert find_question(prompt("Which?", line), 4) == Question(f"Which?\nChoices: {line}".strip(), tuple("ABCD"))
    assert find_question("Question: Write a haiku.", 4) is None


@pytest.mark.parametrize(
    ("line", "choices"),
    [
        (FOUR, list(COLOURS)),
        ("  A)  red   B) green", ["red", "green"]),
        ("A) red\nB) green", ["red", "green"]),
        ("A) one B) two C) B) or A) D) four", ["one", "two", "B) or A)", "four"]),
        ("A) f(A) B) g(B)", ["f(A)", "g(B)"]),
        ("A) red C) blue", []),
        ("Either A) red B) green", []),
        ("", []),
    ],
)
def test_a_label_counts_only_where_the_next_letter_is_due(line: str, choices: list[str]) -> None:
    assert split_choices(line) == choices
