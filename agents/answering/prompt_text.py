"""The question inside a prompt text that the organisers' answer agent builds."""

from __future__ import annotations

import re

from agents.core.errors import QuestionError
from agents.core.schema import LETTERS, MIN_CHOICES, Question, read_question

_QUESTION = re.compile(r"^[ \t]*Question:[ \t]*", re.MULTILINE)
_CHOICES = re.compile(r"^[ \t]*Choices:[ \t]*", re.MULTILINE)


def find_question(prompt: str) -> Question | None:
    """The question and choices in a prompt, or None when it is not a multiple-choice question.

    The question stands after ``Question: ``, the choices on one line after ``Choices: ``. The question's own text may
    hold either word, so the question starts at the first mark and the choices at the last one that can be read.
    """
    opening = _QUESTION.search(prompt)
    if opening is None:
        return None
    for mark in reversed(list(_CHOICES.finditer(prompt, opening.end()))):
        choices = split_choices(prompt[mark.end() :].split("\n\n")[0])
        try:
            return read_question({"question": prompt[opening.end() : mark.start()], "choices": choices})
        except QuestionError:
            continue
    return None


def split_choices(line: str) -> list[str]:
    """The choices of a line ``A) … B) … C) … D) …``, without their labels.

    A label counts only where the next letter is due, so ``B)`` inside choice C stays text. With a doubled prefix
    (``A) A) x``) the second one is taken off by ``read_question``.
    """
    starts: list[tuple[int, int]] = []
    position = 0
    for letter in LETTERS:
        label = re.compile(rf"(?:(?<=\s)|^){letter}\)(?:\s+|$)").search(line, position)
        if label is None:
            break
        starts.append(label.span())
        position = label.end()
    if len(starts) < MIN_CHOICES or line[: starts[0][0]].strip():
        return []
    ends = [start for start, _ in starts[1:]] + [len(line)]
    return [line[text:end].strip() for (_, text), end in zip(starts, ends, strict=True)]
