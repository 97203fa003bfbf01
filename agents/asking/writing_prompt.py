"""What a model is told to write a question, and the form it writes one in: for the Q-Agent and for training one alike.

The choices are an object by letter, so that the letter of each is written right before it, by the schema, and the key
can refer to it; ``read_question`` takes that form. The explanation comes before the key: what a model writes about a
choice it can use when it names one. The topic is quoted as a JSON string, and all of the text is encoded as plain text
(``PromptRenderer.generation``): no topic can end the message or open another one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from agents.core.edition import Edition
from agents.core.schema import LETTERS, Question

MAX_QUESTION_CHARACTERS, MAX_CHOICE_CHARACTERS, MAX_EXPLANATION_CHARACTERS = 500, 80, 400
"""Bounds that end a text that would go on and on. Every puzzle lies within them, and nothing that passes the filter is
much longer."""

_LEVELS = {"easy": "easy", "medium": "difficult", "hard": "extremely difficult"}
_INSTRUCTION = """\
Write one {level} multiple-choice question in English. Its topic is {topic}.
- The question says all that is needed to answer it, in at most 60 words.
- There are {n} short choices, {first} to {last}. Exactly one is right; the others are plausible and wrong.
- The explanation says in at most 60 words why the answer is right.
- Reply with one JSON object and nothing else."""
_EXAMPLE = "Example, on {topic}:\n{text}"
_REQUEST = "Now write a new one, unlike the examples, on {topic}."


def question_schema(edition: Edition) -> dict[str, Any]:
    """The JSON schema of what a model writes. Its parts are common to all engines' grammars."""
    letters = list(LETTERS[: edition.choices])
    choice = _text(1, MAX_CHOICE_CHARACTERS)
    return _object(
        {
            "question": _text(20, MAX_QUESTION_CHARACTERS),
            "choices": _object(dict.fromkeys(letters, choice)),
            "explanation": _text(10, MAX_EXPLANATION_CHARACTERS),
            "answer": {"type": "string", "enum": letters},
        }
    )


def question_text(question: Question, explanation: str) -> str:
    """A question with a key as a model writes it. Raises QuestionError without a key."""
    row = question.canonical(explanation)
    choices = dict(zip(LETTERS, question.choices, strict=False))
    written = {"question": row["question"], "choices": choices, "explanation": explanation, "answer": row["answer"]}
    return json.dumps(written, ensure_ascii=False)


def question_prompt(topic: str, level: str, examples: Sequence[tuple[str, str]], edition: Edition) -> str:
    """The user's message. ``examples`` are pairs of a topic and a ``question_text``; level is easy, medium or hard."""
    quoted = json.dumps(topic, ensure_ascii=False)
    letters = LETTERS[: edition.choices]
    parts = [
        _INSTRUCTION.format(level=_LEVELS[level], topic=quoted, n=len(letters), first=letters[0], last=letters[-1]),
        *(_EXAMPLE.format(topic=json.dumps(name, ensure_ascii=False), text=text) for name, text in examples),
    ]
    if examples:
        parts.append(_REQUEST.format(topic=quoted))
    return "\n\n".join(parts)


def _text(shortest: int, longest: int) -> dict[str, Any]:
    return {"type": "string", "minLength": shortest, "maxLength": longest}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
