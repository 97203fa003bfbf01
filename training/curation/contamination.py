"""Rows of the evaluation files, and whether a row to train on shares too much with one of them.

The overlap of runs of 13 words is the criterion of GPT-3 (Brown et al. 2020, arXiv:2005.14165, appendix C). Most
questions here are shorter than that: such a question is compared whole, together with a choice, so that a stem like
"Which of these is true?" alone is no overlap.
"""

from __future__ import annotations

from collections.abc import Iterator

from agents.core.text_similarity import QuestionWords, digest, runs


class EvaluationIndex:
    """Which evaluation files a question overlaps with. Memory: about 130 bytes a run of words."""

    def __init__(self, ngram_words: int) -> None:
        self._ngram_words = ngram_words
        self._files_of: dict[int, int] = {}

    def add(self, file: int, words: QuestionWords) -> None:
        """Adds a row of the evaluation file with this number, counted from 0."""
        for fingerprint in self._fingerprints(words):
            self._files_of[fingerprint] = self._files_of.get(fingerprint, 0) | 1 << file

    def overlaps(self, words: QuestionWords) -> set[int]:
        """The numbers of the files with a row that shares a run of words, or is the same short question."""
        if not self._files_of:
            return set()
        mask = 0
        for fingerprint in self._fingerprints(words):
            mask |= self._files_of.get(fingerprint, 0)
        return {file for file in range(mask.bit_length()) if mask >> file & 1}

    def _fingerprints(self, words: QuestionWords) -> Iterator[int]:
        if len(words.text) >= self._ngram_words:
            return map(digest, runs(words.text, self._ngram_words))
        text = " ".join(words.text)
        return (digest(text, " ".join(choice)) for choice in words.choices)
