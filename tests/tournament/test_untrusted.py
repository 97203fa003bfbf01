"""What is kept of a row: the filter must decide the same on it as on the row itself."""

from __future__ import annotations

import json

from arena_fakes import FEBRUARY, count_words, question
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.rules import broken_question_rule
from tournament.untrusted import MAX_DEPTH, MAX_TEXT_CHARS, kept_answer, kept_question, printable

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(["topic", "question", "choices", "answer", "explanation", "id", "more"])


@settings(deadline=None, derandomize=True)
@given(st.dictionaries(FIELDS, ANYTHING), st.booleans())
def test_the_filter_decides_the_same_on_what_is_kept(changes, drop):
    row = {key: value for key, value in {**question(), **changes}.items() if not (drop and changes.get(key) is None)}
    kept = kept_question(row)
    before = broken_question_rule(row, count_words, FEBRUARY)
    assert (broken_question_rule(kept, count_words, FEBRUARY) is None) == (before is None)


@settings(deadline=None, derandomize=True)
@given(ANYTHING)
def test_what_is_kept_can_be_written_as_json_and_read_back(value):
    for kept in (
        kept_question(value),
        kept_answer(value),
        kept_question({"topic": value}),
        kept_answer({"answer": value}),
    ):
        assert json.loads(json.dumps(kept, allow_nan=False)) == kept


def test_long_texts_of_answers_are_cut_and_deep_values_emptied():
    assert kept_answer({"reasoning": "x" * 10_000, "tokens": 5}) == {"reasoning": "x" * MAX_TEXT_CHARS + "…"}
    deep: list[object] = []
    for _ in range(900):
        deep = [deep]
    assert json.dumps(kept_question({"choices": deep})).count("[") == MAX_DEPTH + 1


def test_json_text_of_an_object_is_kept_as_that_object():
    assert kept_question(json.dumps(question())) == question()
    assert kept_question("{broken") == "{broken"


def test_what_is_printed_has_no_control_characters():
    assert printable("a\x1b[31mb\u202ec\ud800\n\td é") == "a\\x1b[31mb\\u202ec\\ud800\n\td é"
