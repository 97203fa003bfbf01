"""The questions of a benchmark."""

from __future__ import annotations

from itertools import islice

from agents.core.schema import read_question
from benchmarks.sample_questions import questions


def test_questions_are_distinct_valid_and_the_same_for_the_same_seed() -> None:
    first = list(islice(questions(3), 300))
    assert first == list(islice(questions(3), 300))
    assert first != list(islice(questions(4), 300))
    assert len({question.text for question in first}) == 300
    for question in first:
        assert 30 <= len(question.text.split()) <= 60
        assert all(1 <= len(choice.split()) <= 5 for choice in question.choices)
        row = {"question": question.text, "choices": list(question.choices)}
        assert read_question(row).choices == question.choices


def test_the_questions_of_one_run_are_not_those_of_another() -> None:
    assert not set(islice(questions(0), 500)) & set(islice(questions(1), 500))
