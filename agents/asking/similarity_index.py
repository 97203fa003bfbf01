"""Questions that read alike: the exact Jaccard similarity of their runs of three words, without comparing all pairs.

Two sets whose similarity reaches t share an element among the first ``n - ceil(t n) + 1`` of each, whatever order of
the elements both are sorted in (prefix filtering: Chaudhuri, Ganti and Kaushik 2006; Bayardo, Ma and Srikant 2007,
"Scaling up all pairs similarity search"). So only those few are indexed, and what meets there is compared exactly.
MinHash would need a library and miss some; the questions of one team are few enough to be exact.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from math import ceil

from agents.core.schema import Question
from agents.core.text_similarity import (
    SIMILAR,
    digest,
    hex_digest,
    jaccard,
    question_words,
    same_question,
    shingles,
    split_words,
)


def text_digest(text: str) -> str:
    """Return the same digest for two texts of the same words."""
    return hex_digest(" ".join(split_words(text)))


def question_id(question: Question) -> str:
    """Return the same id for two questions of the same words and the same set of choices, in whatever order."""
    return hex_digest(*same_question(question_words(question)))


def shingle_hashes(question: Question) -> array[int]:
    """Return the 64-bit hashes of the question's shingles, sorted."""
    return array("Q", sorted(map(digest, shingles(question_words(question)))))


class SimilarityIndex:
    """Every question it was told of, by an id; about a kilobyte each."""

    def __init__(self, threshold: float = SIMILAR) -> None:
        self.threshold = threshold
        self._sets: dict[str, array[int]] = {}
        self._postings: dict[int, list[str]] = {}
        self._structures: dict[str, str] = {}
        self._fingerprints: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._sets)

    def add(self, key: str, elements: array[int], fingerprint: str | None = None) -> None:
        """``elements`` as ``shingle_hashes`` gives them. An id that is known stays as it is."""
        if key not in self._sets:
            self._sets[key] = elements
            for element in self._prefix(elements):
                self._postings.setdefault(element, []).append(key)
            if fingerprint is not None:
                self._structures[fingerprint] = key
                self._fingerprints[key] = fingerprint

    def discard(self, key: str) -> None:
        """Forgets an id, if it is there."""
        for element in self._prefix(self._sets.pop(key, array("Q"))):
            self._postings[element].remove(key)
        self._structures.pop(self._fingerprints.pop(key, ""), None)

    def same_structure(self, fingerprint: str | None) -> str | None:
        """The id of the question with this fingerprint."""
        return None if fingerprint is None else self._structures.get(fingerprint)

    def similar(self, elements: array[int]) -> list[str]:
        """The ids of all that are at least as similar as the threshold."""
        mine = set(elements)
        candidates = dict.fromkeys(key for e in self._prefix(elements) for key in self._postings.get(e, ()))
        return [key for key in candidates if self._alike(mine, self._sets[key])]

    def _prefix(self, elements: array[int]) -> Iterable[int]:
        return elements[: len(elements) - ceil(self.threshold * len(elements)) + 1] if elements else ()

    def _alike(self, mine: set[int], other: array[int]) -> bool:
        # Too different in size to be similar: most candidates end here, without a set operation.
        if not self.threshold * len(mine) <= len(other) <= len(mine) / self.threshold:
            return False
        return jaccard(mine, other) >= self.threshold
