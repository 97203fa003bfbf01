"""Which rule of the organisers' filters a row breaks, in words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.core.edition import load_edition
from agents.core.rules import broken_answer_rule, broken_question_rule

EDITION = load_edition("feb2026_iitd")
QUESTION: dict[str, Any] = {
    "topic": "Syllogisms",
    "question": "Which is red?",
    "choices": ["A) blood", "B) grass", "C) snow", "D) coal"],
    "answer": "A",
}


def count_words(text: str) -> int:
    return len(text.split())


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({}, None),
        ({"choices": None}, "choices: null, not a list"),
        ({"choices": ["A) x", "B) y", "C) z"]}, "choices: 3 of them, not 4"),
        (
            {"choices": ["A) x", "B) y", "C) z", "Zebra"]},
            "choices[3]: 'Zebra', not at least 3 characters that begin with one of ABCD",
        ),
        ({"question": None}, "question: null, not a string of valid text"),
        ({"answer": 1}, "answer: int 1, not a string of valid text"),
        ({"explanation": None}, "explanation: null, not a string of valid text"),
        ({"choices": ["A) \ud800", "B) y", "C) z", "D) w"]}, "choices: a lone surrogate, not valid text"),
        ({"question": "x " * 136}, "question, answer and choices: 130 tokens, not fewer than 130"),
        ({"question": "x " * 135, "explanation": "y " * 895}, None),
        ({"question": "x " * 135, "explanation": "y " * 896}, "with the explanation: 1025 tokens, not at most 1024"),
    ],
)
def test_a_question_breaks_the_first_rule_that_it_fails(changes, rule):
    assert broken_question_rule({**QUESTION, **changes}, count_words, EDITION) == rule


def test_a_question_without_a_field_or_that_is_no_object_breaks_a_rule():
    row = {key: value for key, value in QUESTION.items() if key != "topic"}
    assert broken_question_rule(row, count_words, EDITION) == "topic: no such field"
    assert broken_question_rule(None, count_words, EDITION) == "not an object: null"
    assert broken_question_rule(json.dumps(QUESTION), count_words, EDITION) is None


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({"answer": "b"}, None),
        ({"answer": "B) grass"}, None),
        ({"answer": ""}, None),
        ({"answer": "E"}, "answer: 'E', not one of ABCD"),
        ({"reasoning": "because"}, "answer: null, not a string of valid text"),
        ({"answer": "A", "reasoning": 5}, "reasoning: int 5, not a string of valid text"),
        ({"answer": "x " * 50}, "answer: 50 tokens, not fewer than 50"),
        ({"answer": "A", "reasoning": "y " * 511}, "answer and reasoning: 512 tokens, not fewer than 512"),
        ("<html>", "not an object: '<html>'"),
    ],
)
def test_an_answer_breaks_the_first_rule_that_it_fails(row, rule):
    assert broken_answer_rule(row, count_words, EDITION) == rule
