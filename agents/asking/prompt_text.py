"""What a prompt text asks for that the organisers' question agent builds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agents.core.errors import QuestionError
from agents.core.schema import Question, read_sound_question
from puzzles.puzzle import CHOICES

MAX_PROMPT_CHARS = 50_000
"""Of a longer prompt only the beginning is read."""
MAX_BRACES = 200
"""Opening braces that are tried for an object: a text of nothing but braces must not cost a square."""

_TOPIC = re.compile(r"\bon\s+(?:the\s+)?topic:?\s*[\"'“]?([^\n]+?)[\"'”]?(?:\.(?=\s|$)|\n|$)", re.IGNORECASE)
_LETTER = re.compile(
    r"\boption\s+([A-D])\s+is\s+(?:the\s+|only\s+)*(?:factually\s+)?correct|\bonly\s+the\s+letter\s+\"?([A-D])\b",
    re.IGNORECASE,
)
_FORMAT_TOPIC = re.compile(r'"topic"\s*:\s*"([^"\n]*[^".\s][^"\n]*)"')
_FORMAT_LETTER = re.compile(r'"answer"\s*:\s*"([A-D])"')


@dataclass(frozen=True)
class PromptRequest:
    """A topic as the prompt spells it, and the letter that the key must have; None where it names none."""

    topic: str | None
    letter: str | None


def find_request(prompt: str) -> PromptRequest | None:
    """What a prompt for a new question asks for, or None when it does not name a topic to ask about.

    Worked examples are objects with a question of their own: neither their topic nor their answer counts. The format
    example, whose texts are dots, is asked last.
    """
    text, examples = _without_objects(prompt[:MAX_PROMPT_CHARS])
    placeholders = [json.dumps(row) for row in examples if not _is_written(row)]
    topic = _TOPIC.search(text)
    if topic is None:
        return None
    demanded = _LETTER.search(text)
    if demanded is not None:
        return PromptRequest(topic[1].strip(), (demanded[1] or demanded[2]).upper())
    letters = [match[1] for part in (text, *placeholders) for match in _FORMAT_LETTER.finditer(part)]
    return PromptRequest(topic[1].strip(), letters[-1] if letters else None)


def find_written_question(prompt: str) -> tuple[Question, str] | None:
    """A whole question with its key and explanation that a prompt quotes, to be repaired: the first there is."""
    for row in _without_objects(prompt[:MAX_PROMPT_CHARS])[1]:
        if _is_written(row):
            question = read_sound_question(row)
            explanation = row.get("explanation")
            return question, explanation if isinstance(explanation, str) else ""
    return None


def find_topic_field(prompt: str) -> str | None:
    """The topic that a broken object in a prompt names."""
    found = _FORMAT_TOPIC.search(prompt[:MAX_PROMPT_CHARS])
    return found[1].strip() if found else None


def _is_written(row: dict[str, Any]) -> bool:
    try:
        question = read_sound_question(row)
    except QuestionError:
        return False
    return question.key is not None and len(question.choices) == CHOICES and any(map(str.isalnum, question.text))


def _without_objects(prompt: str) -> tuple[str, list[dict[str, Any]]]:
    """The prompt without the JSON objects in it, and the objects."""
    kept, position, objects = [], 0, []
    for start, end, row in _objects(prompt):
        kept.append(prompt[position:start])
        objects.append(row)
        position = end
    return " ".join([*kept, prompt[position:]]), objects


def _objects(prompt: str) -> Iterator[tuple[int, int, dict[str, Any]]]:
    decoder = json.JSONDecoder(strict=False)
    start = prompt.find("{")
    for _ in range(MAX_BRACES):
        if start == -1:
            return
        try:
            row, end = decoder.raw_decode(prompt, start)
        except (ValueError, RecursionError):
            start = prompt.find("{", start + 1)
            continue
        yield start, end, row
        start = prompt.find("{", end)
