"""Exact similarity through an index, against comparing all pairs."""

from __future__ import annotations

import random
from array import array

from agents.asking.similarity_index import SimilarityIndex, question_id, shingle_hashes, text_digest
from agents.core.schema import Question

ROW = Question("Five friends sit in a row facing north and Eva is left of Tom", ("Eva", "Tom", "Ann", "Bob"))


def random_sets(number: int) -> list[array[int]]:
    """Sets of which many are small changes of others."""
    draw = random.Random(4)
    sets: list[set[int]] = []
    for _ in range(number):
        if sets and draw.random() < 0.7:
            base = set(draw.choice(sets))
            for element in draw.sample(sorted(base), draw.randint(0, max(1, len(base) // 4))):
                base.discard(element)
            base |= {draw.randrange(300) for _ in range(draw.randint(0, 4))}
        else:
            base = {draw.randrange(300) for _ in range(draw.randint(1, 40))}
        sets.append(base or {0})
    return [array("Q", sorted(each)) for each in sets]


def test_the_index_finds_what_comparing_all_pairs_finds():
    sets = random_sets(300)
    index = SimilarityIndex(0.8)
    found = 0
    for place, elements in enumerate(sets):
        expected = {
            str(other)
            for other in range(place)
            if len(set(elements) & set(sets[other])) >= 0.8 * len(set(elements) | set(sets[other]))
        }
        assert set(index.similar(elements)) == expected
        found += len(expected)
        index.add(str(place), elements)
    assert found > 100


def test_what_was_discarded_is_not_found():
    index = SimilarityIndex()
    index.add("x", array("Q", [1, 2, 3]))
    index.discard("x")
    index.discard("never there")
    assert index.similar(array("Q", [1, 2, 3])) == []
    assert len(index) == 0


def test_the_order_of_the_choices_does_not_make_another_question():
    other = ROW.permuted((2, 0, 3, 1))
    assert question_id(ROW) == question_id(other)
    assert shingle_hashes(ROW) == shingle_hashes(other)


def test_case_and_punctuation_do_not_make_another_question_but_words_do():
    shouted = Question(ROW.text.upper() + "!", ROW.choices)
    assert question_id(ROW) == question_id(shouted)
    assert text_digest(ROW.text) == text_digest(shouted.text)
    assert question_id(ROW) != question_id(Question(ROW.text, ("Eva", "Tom", "Ann", "Ben")))
    assert question_id(ROW) != question_id(Question(ROW.text.replace("left", "right"), ROW.choices))
