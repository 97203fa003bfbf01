"""A question reduced to its words, the form in which rows are compared."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

from agents.asking.similarity import runs, split_words
from agents.core.schema import Question

SHINGLE_WORDS = 3
"""With three words a shingle, two WinoGrande twins (one word apart in about twenty) stay below a similarity of 0.8."""


class QuestionWords(NamedTuple):
    """The words of a question's text and of each of its choices, in order."""

    text: list[str]
    choices: list[list[str]]


def question_words(question: Question) -> QuestionWords:
    return QuestionWords(split_words(question.text), [split_words(choice) for choice in question.choices])


def shingles(words: QuestionWords) -> list[bytes]:
    """The distinct runs of three words of the question and of each choice, sorted; a shorter text is one run.

    No run crosses from one text into another, so the order of the choices does not matter.
    """
    found = {run for text in (words.text, *words.choices) for run in runs(text, SHINGLE_WORDS)}
    return sorted(run.encode() for run in found)


def digest(*texts: str) -> int:
    """64 bits that stand for these texts in this order."""
    return int.from_bytes(blake2b("\x1f".join(texts).encode(), digest_size=8).digest(), "little")


def identity(words: QuestionWords) -> int:
    """Equal for two rows with the same words in the question and the same set of choices."""
    return digest(" ".join(words.text), *sorted(map(" ".join, words.choices)))
