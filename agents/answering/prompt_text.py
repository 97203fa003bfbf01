"""The question inside a prompt text that the organisers' answer agent builds."""

from __future__ import annotations

import re

from agents.core.errors import QuestionError
from agents.core.schema import LETTERS, MAX_CHOICES, MIN_CHOICES, Question, read_question

MAX_PROMPT_CHARS = 100_000
"""Characters of a prompt that are read, half from each end: five times what the organisers' filter lets through."""
MAX_MARKS = 20
"""Places where the choices may begin that are tried, the last ones first: each costs a reading of what follows it."""

_QUESTION = re.compile(r"^[ \t]*Question:[ \t]*", re.MULTILINE)
_CHOICES = re.compile(r"^[ \t]*Choices:[ \t]*", re.MULTILINE)
_LABELS = {letter: re.compile(rf"(?<!\S){letter}\)(?!\S)") for letter in LETTERS}


def find_question(prompt: str, number: int | None = None) -> Question | None:
    """The question and choices in a prompt, or None when it is not a multiple-choice question.

    The question stands after ``Question: ``, the choices after ``Choices: ``. The question's own text may hold either
    word, so the question starts at the first mark and the choices at the last one that can be read. With ``number``,
    a prompt that has both marks and no such number of labelled choices is a question as well: its choices are the bare
    letters, and all that stands after the mark belongs to its text.
    """
    if len(prompt) > MAX_PROMPT_CHARS:
        prompt = prompt[: MAX_PROMPT_CHARS // 2] + prompt[-MAX_PROMPT_CHARS // 2 :]
    opening = _QUESTION.search(prompt)
    if opening is None:
        return None
    marks = list(_CHOICES.finditer(prompt, opening.end()))
    for mark in reversed(marks[-MAX_MARKS:]):
        choices = split_choices(prompt[mark.end() :], number or MAX_CHOICES)
        if len(choices) < (number or MIN_CHOICES):
            continue
        try:
            return read_question({"question": prompt[opening.end() : mark.start()], "choices": choices})
        except QuestionError:
            continue
    if number is None or not marks:
        return None
    end = _paragraph_end(prompt, marks[-1].end())
    return Question(prompt[opening.end() : end].strip(), tuple(LETTERS[:number]))


def split_choices(text: str, most: int = MAX_CHOICES) -> list[str]:
    """The choices of ``A) … B) … C) … D) …``, at most ``most`` of them, without their labels.

    A label counts only where the next letter is due, so ``B)`` inside choice C stays text. With a doubled prefix
    (``A) A) x``) the second one is taken off by ``read_question``. Only the last choice ends at an empty line.
    """
    starts: list[tuple[int, int]] = []
    position = 0
    for letter in LETTERS[:most]:
        label = _LABELS[letter].search(text, position)
        if label is None:
            break
        starts.append(label.span())
        position = label.end()
    if len(starts) < MIN_CHOICES or text[: starts[0][0]].strip():
        return []
    ends = [start for start, _ in starts[1:]] + [_paragraph_end(text, starts[-1][1])]
    return [text[start:end].strip() for (_, start), end in zip(starts, ends, strict=True)]


def _paragraph_end(text: str, start: int) -> int:
    end = text.find("\n\n", start)
    return len(text) if end == -1 else end
