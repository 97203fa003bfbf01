"""The words of questions, and what two of them have in common."""

from __future__ import annotations

from array import array

from agents.core.schema import Question
from agents.core.text_similarity import (
    digest,
    hex_digest,
    jaccard,
    question_words,
    same_question,
    shingles,
    split_words,
)


def test_case_punctuation_and_unicode_forms_make_no_difference_but_operators_do() -> None:
    assert split_words("What’s  the ＡREA?") == split_words("whats the area") == ["whats", "the", "area"]
    assert split_words("3 + 4") != split_words("3 - 4")
    assert split_words("1,000.5 km") == ["1,000.5", "km"]
    assert split_words(" ?! ") == ["?!"]


def test_the_order_of_the_choices_makes_no_difference() -> None:
    one = question_words(Question("Which is a fruit, of these?", ("an apple", "a red brick", "iron")))
    other = question_words(Question("which is a fruit of these", ("Iron.", "an apple", "a red brick")))
    assert same_question(one) == same_question(other)
    assert shingles(one) == shingles(other)


def test_jaccard_is_shared_over_all() -> None:
    assert jaccard({1, 2, 3}, array("Q", [2, 3, 4, 5])) == 2 / 5


def test_both_digests_are_the_same_bits() -> None:
    assert digest("a", "b") == int.from_bytes(bytes.fromhex(hex_digest("a", "b")), "little")
    assert hex_digest("a", "b") != hex_digest("ab")
