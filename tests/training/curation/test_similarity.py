"""Near copies and groups: MinHash and its bands against every pair compared exactly."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import pytest

from agents.core.schema import Question
from agents.core.text_similarity import question_words, shingles
from training.curation.similarity import PERMUTATIONS, Signatures, merge_components, similar_pairs

WORDS = [f"w{i}" for i in range(400)]


def changed(words: list[str], count: int, rng: random.Random) -> list[str]:
    copy = list(words)
    for place in rng.sample(range(len(copy)), count):
        copy[place] = rng.choice(WORDS)
    return copy


@pytest.fixture(scope="module")
def corpus() -> list[list[bytes]]:
    """300 rows: 60 texts of 40 words, each with four copies that have 1 to 8 words changed."""
    rng = random.Random(5)
    rows = []
    for _ in range(60):
        words = rng.choices(WORDS, k=40)
        copies = [words, *(changed(words, count, rng) for count in (1, 2, 4, 8))]
        rows += [shingles(question_words(Question(" ".join(copy), ("yes", "no")))) for copy in copies]
    return rows


def signatures_of(corpus: list[list[bytes]]) -> np.ndarray:
    signatures = Signatures(seed=3)
    for row in corpus:
        signatures.add(row)
    return signatures.matrix()


def jaccard(a: list[bytes], b: list[bytes]) -> float:
    return len(set(a) & set(b)) / len(set(a) | set(b))


def test_every_pair_well_above_the_threshold_is_found_and_none_well_below(corpus: list[list[bytes]]) -> None:
    found: set[tuple[int, int]] = set()
    for first, second, similarity in similar_pairs(signatures_of(corpus), 0.6):
        assert (first < second).all()
        assert (similarity >= 0.6).all()
        found |= set(zip(first.tolist(), second.tolist(), strict=True))
    exact = {(i, j): jaccard(corpus[i], corpus[j]) for i, j in combinations(range(len(corpus)), 2)}
    four_errors = 4 * (0.6 * 0.4 / PERMUTATIONS) ** 0.5
    assert {pair for pair, value in exact.items() if value > 0.6 + four_errors} <= found
    assert all(exact[pair] > 0.6 - four_errors for pair in found)
    assert len(found) > 100


def test_a_signature_depends_on_the_seed_and_on_nothing_else(corpus: list[list[bytes]]) -> None:
    again, other = signatures_of(corpus), Signatures(seed=4)
    for row in corpus:
        other.add(row)
    assert (signatures_of(corpus) == again).all()
    assert (other.matrix() != again).any(axis=1).all()


def test_a_template_of_many_rows_hangs_together() -> None:
    template = [f"t{i}" for i in range(60)]
    rng = random.Random(2)
    rows = [shingles(question_words(Question(" ".join(changed(template, 3, rng)), ("a", "b")))) for _ in range(500)]
    labels = np.arange(500)
    for first, second, _ in similar_pairs(signatures_of(rows), 0.5):
        labels = merge_components(labels, first, second)
    assert len(set(labels.tolist())) == 1


def test_components_are_joined_through_a_third_row() -> None:
    labels = merge_components(np.arange(6), np.array([0, 4]), np.array([1, 5]))
    labels = merge_components(labels, np.array([1]), np.array([4]))
    assert labels[0] == labels[1] == labels[4] == labels[5]
    assert len({int(labels[0]), int(labels[2]), int(labels[3])}) == 3
