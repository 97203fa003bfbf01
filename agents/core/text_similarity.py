"""The words of a text, and what two texts have in common: the forms in which questions are compared."""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

from agents.core.schema import Question

SIMILAR = 0.8
"""Jaccard similarity, 0 to 1, from which two questions count as one. The most alike of 150 hard puzzles of a family,
all with structures of their own, reach 0.24 (syllogisms) to 0.72 (truth-tellers)."""
SHINGLE_WORDS = 3
"""With three words a shingle, two WinoGrande twins (one word apart in about twenty) stay below a similarity of 0.8."""

# Operators and currency signs are kept: "3 + 4" and "3 - 4" are two questions. Other punctuation is not.
_WORD = re.compile(r"\d+(?:[.,]\d+)+|\w+|[-+*/=<>%^$€£√×÷±°|&−]")


class QuestionWords(NamedTuple):
    """The words of a question's text and of each of its choices, in order."""

    text: list[str]
    choices: list[list[str]]


def split_words(text: str) -> list[str]:
    """Return case-folded words, numbers and operators after Unicode NFKC; a text without any is one word."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("'", "").replace("’", "")
    return _WORD.findall(folded) or [text.strip()]


def question_words(question: Question) -> QuestionWords:
    return QuestionWords(split_words(question.text), [split_words(choice) for choice in question.choices])


def runs(words: Sequence[str], length: int) -> Iterator[str]:
    """Yield every run of ``length`` words; the whole text when it is shorter."""
    for start in range(max(len(words) - length + 1, 1)):
        yield " ".join(words[start : start + length])


def shingles(words: QuestionWords) -> set[str]:
    """Return the distinct runs of three words of the question and of each choice; a shorter text is one run.

    No run crosses from one text into another, so the order of the choices does not matter.
    """
    return {run for text in (words.text, *words.choices) for run in runs(text, SHINGLE_WORDS)}


def digest(*texts: str) -> int:
    """Return 64 bits that stand for these texts in this order."""
    return int.from_bytes(blake2b("\x1f".join(texts).encode(), digest_size=8).digest(), "little")


def hex_digest(*texts: str) -> str:
    """Return the bits of ``digest`` as 16 hexadecimal digits."""
    return digest(*texts).to_bytes(8, "little").hex()


def same_question(words: QuestionWords) -> tuple[str, ...]:
    """Return texts that are equal for two questions of the same words and the same set of choices, to be digested."""
    return " ".join(words.text), *sorted(map(" ".join, words.choices))


def jaccard(mine: set[int], other: array[int]) -> float:
    """Return shared elements over all elements. ``other`` has each once."""
    shared = len(mine.intersection(other))
    return shared / (len(mine) + len(other) - shared)
