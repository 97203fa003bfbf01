"""The organisers' format filter and scoring as their code behaves.

The filters let through exactly what the organisers' let through, quirks
included: what a team's row is worth depends on what their code does with it, not on what their text says. Only where
their code would crash do these functions go on: the row counts as failed. That happens for

- a text to be counted that is no string, or holds a lone surrogate, which their tokenizer refuses: a null question, a
  null explanation, a number for a reasoning;
- choices that cannot be iterated: null, a number;
- JSON text of something other than an object, such as ``5`` or ``[1]``, or JSON too deep, or with
  too long a number, to parse.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agents.core.edition import Edition
from agents.core.errors import describe
from agents.core.schema import LETTERS

CountTokens = Callable[[str], int]
"""How many tokens a text has, without special tokens. The organisers count with the Qwen3-4B tokenizer."""

FILTER_FRACTION = 0.5
"""Share of the rows that must pass ``filter_questions``: in every edition's filter code, whatever its notices say."""

MISSING = "None"
"""What the organisers count for an explanation or a reasoning that is not there: text, not zero tokens."""

ELLIPSIS = "…"

_REQUIRED = ("topic", "question", "choices", "answer")
_MIN_CHOICE_CHARS = 3
_WORD = re.compile(r"\S+")
_SURROGATE = re.compile("[\ud800-\udfff]")


def filter_questions(rows: Sequence[Any], count_tokens: CountTokens, edition: Edition) -> list[dict[str, Any]]:
    """The questions that the organisers' filter lets through, in their order.

    A row is a dict, returned as the same object, or JSON text of one, returned parsed; any other row is dropped. When
    fewer than half of ``rows`` pass, the result is the empty list. Raises only what ``count_tokens`` raises: rows on
    which the organisers' code would crash (see the top of this file) are dropped.
    """
    parsed = [row for row in map(_parse, rows) if row is not None]
    survivors = [row for row in parsed if broken_question_rule(row, count_tokens, edition) is None]
    return survivors if len(survivors) >= FILTER_FRACTION * len(rows) else []


def filter_answers(rows: Sequence[Any], count_tokens: CountTokens, edition: Edition) -> list[dict[str, Any] | None]:
    """One entry a row: the answer when the organisers' filter lets it through, otherwise None.

    A row is a dict, returned as the same object, or JSON text of one, returned parsed. Raises only what
    ``count_tokens`` raises: rows on which the organisers' code would crash (see the top of this file) give None.
    """
    parsed = [_parse(row) for row in rows]
    return [row if broken_answer_rule(row, count_tokens, edition) is None else None for row in parsed]


def score_answer(question: Mapping[str, Any], answer: Mapping[str, Any] | None) -> bool:
    """Whether the organisers' scoring counts ``answer`` as right: the key's first character is the answer, in its case.

    So a key may be ``B) text``, while an answer ``b``, ``B)`` or ``B) text`` is wrong. The key is read from ``answer``,
    or from ``expected_answer`` in a row without it. False for an answer that is None, as the filter leaves it, and
    where key or answer is missing, empty or no string.
    """
    key = question.get("answer", question.get("expected_answer"))
    given = None if answer is None else answer.get("answer")
    return isinstance(key, str) and isinstance(given, str) and key[:1] == given != ""


def clip_words(text: str, limit: int) -> str:
    """``text`` cut after its word number ``limit``, an ellipsis set against that word; shorter text unchanged.

    A word is a run of characters that are not white space, so the ellipsis adds none. Raises ValueError when ``limit``
    is below 1.
    """
    if limit < 1:
        raise ValueError(f"a limit of {limit} words leaves no text")
    ends = [word.end() for word in _WORD.finditer(text)]
    return text if len(ends) <= limit else text[: ends[limit - 1]] + ELLIPSIS


def _parse(row: Any) -> dict[str, Any] | None:
    if isinstance(row, str):
        try:
            row = json.loads(row)
        except (ValueError, RecursionError):
            return None
    return row if isinstance(row, dict) else None


def broken_question_rule(row: Any, count_tokens: CountTokens, edition: Edition) -> str | None:
    """The first rule of the question filter that ``row`` breaks, as a sentence's end; None when it passes.

    A row is a dict or JSON text of one. The sentence quotes nothing longer than ``errors.describe`` lets through.
    """
    parsed = _parse(row)
    if parsed is None:
        return f"not an object: {describe(row)}"
    row = parsed
    for field in _REQUIRED:
        if field not in row:
            return f"{field}: no such field"
    choices = row["choices"]
    # A list, not any sequence: theirs also turns away tuples, which only Python code can hand it.
    if not isinstance(choices, list):
        return f"choices: {describe(choices)}, not a list"
    if len(choices) != edition.choices:
        return f"choices: {len(choices)} of them, not {edition.choices}"
    letters = LETTERS[: edition.choices]
    for place, choice in enumerate(choices):
        if not _choice_passes(choice, letters):
            expected = f"at least {_MIN_CHOICE_CHARS} characters that begin with one of {letters}"
            return f"choices[{place}]: {describe(choice)}, not {expected}"
    explanation = row.get("explanation", MISSING)
    for field, text in (("question", row["question"]), ("answer", row["answer"]), ("explanation", explanation)):
        if not _is_countable(text):
            return f"{field}: {describe(text)}, not a string of valid text"
    if not all(map(_is_countable, choices)):
        return "choices: a lone surrogate, not valid text"
    tokens = count_question_tokens(row, count_tokens, edition)
    if tokens >= edition.question_tokens:
        return f"question, answer and choices: {tokens} tokens, not fewer than {edition.question_tokens}"
    tokens += count_tokens(explanation)
    if tokens > edition.question_with_explanation_tokens:
        return f"with the explanation: {tokens} tokens, not at most {edition.question_with_explanation_tokens}"
    return None


def count_question_tokens(row: Mapping[str, Any], count_tokens: CountTokens, edition: Edition) -> int:
    """What the question filter compares with ``question_tokens``. ``row`` passes its other rules."""
    counted = [row["question"], row["answer"], *row["choices"]]
    return sum(map(count_tokens, counted)) - edition.question_tokens_allowance


def _choice_passes(choice: Any, letters: str) -> bool:
    # Only the first character is looked at, so "Apple" passes for a choice A.
    return isinstance(choice, str) and len(choice) >= _MIN_CHOICE_CHARS and choice[0].upper() in letters


def broken_answer_rule(row: Any, count_tokens: CountTokens, edition: Edition) -> str | None:
    """The first rule of the answer filter that ``row`` breaks, worded as in ``broken_question_rule``; None if none."""
    parsed = _parse(row)
    if parsed is None:
        return f"not an object: {describe(row)}"
    # Without an answer there is nothing to count either, so None stands for both a missing and a null one.
    answer: Any = parsed.get("answer")
    reasoning: Any = parsed.get("reasoning", MISSING)
    for field, text in (("answer", answer), ("reasoning", reasoning)):
        if not _is_countable(text):
            return f"{field}: {describe(text)}, not a string of valid text"
    letters = LETTERS[: edition.choices]
    # Longer text and the empty text are not held against the letters: they pass here and score nothing.
    if len(answer) == 1 and answer not in letters + letters.lower():
        return f"answer: {describe(answer)}, not one of {letters}"
    tokens = count_tokens(answer)
    if tokens >= edition.answer_tokens:
        return f"answer: {tokens} tokens, not fewer than {edition.answer_tokens}"
    tokens += count_tokens(reasoning)
    if tokens >= edition.answer_with_reasoning_tokens:
        return f"answer and reasoning: {tokens} tokens, not fewer than {edition.answer_with_reasoning_tokens}"
    return None


def _is_countable(text: Any) -> bool:
    """Whether the organisers' tokenizer takes ``text``: it raises on anything but a string of valid Unicode."""
    return isinstance(text, str) and not _SURROGATE.search(text)
