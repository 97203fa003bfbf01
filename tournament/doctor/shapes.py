"""Bodies to send to an A-agent's service: every shape of a question seen in the field, and what is none."""

from __future__ import annotations

import json
from typing import Any

from agents.core.schema import LETTERS, strip_labels
from tournament.teams.protocol import Row

DEEP = 2_000
"""Levels of nesting that parsers of JSON give up on, or should."""


def seen_shapes(row: Row) -> dict[str, bytes]:
    """A question with a key, in each shape that real files hold, by name. ``row`` is canonical."""
    texts = strip_labels(row["choices"])
    labelled = dict(zip(LETTERS, texts, strict=False))
    key = row["answer"]
    plain: Row = {"topic": row["topic"], "question": row["question"]}
    usual: Row = {**plain, "choices": row["choices"]}
    extra = {"id": 7, "difficulty": "hard", "tokens": 93, "latency": 1.5, "explanation": "It is.", "reasoning": "So."}
    shapes: dict[str, Any] = {
        "prefixed choices": usual,
        "doubled prefixes": {**plain, "choices": [f"{letter}) {letter}) {text}" for letter, text in labelled.items()]},
        "bare choices": {**plain, "choices": texts},
        "choices by letter": {**plain, "choices": labelled},
        "no topic": {"question": row["question"], "choices": row["choices"]},
        "answer": {**usual, "answer": key},
        "a lower-case answer": {**usual, "answer": key.lower()},
        "an answer with its text": {**usual, "answer": f"{key}) {labelled[key]}"},
        "an answer by its text": {**usual, "answer": labelled[key]},
        "expected_answer": {**usual, "expected_answer": key},
        "correct_answer": {**usual, "correct_answer": key},
        "expected_answer_letter": {**usual, "expected_answer_letter": key},
        "extra keys": {**usual, **extra},
        "a list of one": [usual],
        "questions: a list of one": {"questions": [usual]},
        "JSON text": json.dumps(usual),
        "a list of one JSON text": [json.dumps(usual)],
    }
    return {name: json.dumps(value).encode() for name, value in shapes.items()}


def malformed_bodies(row: Row) -> dict[str, bytes]:
    """What is no question in any shape, by name."""
    question, choices = row["question"], row["choices"]
    broken: dict[str, Any] = {
        "a number": 5,
        "null": None,
        "an empty object": {},
        "an empty list": [],
        "no choices": {"question": question},
        "no question": {"choices": choices},
        "a question that is a number": {"question": 5, "choices": choices},
        "choices that are null": {"question": question, "choices": None},
        "choices that are one text": {"question": question, "choices": "A) B) C) D)"},
        "choices of numbers": {"question": question, "choices": [1, 2, 3, 4]},
    }
    return {
        "an empty body": b"",
        "text that is no JSON": b"Which is it?",
        "JSON that breaks off": json.dumps(row).encode()[:-9],
        "bytes that are no UTF-8": b'{"question": "\xff\xfe", "choices": []}',
        "JSON that is too deep": b"[" * DEEP + b"]" * DEEP,
        **{name: json.dumps(value).encode() for name, value in broken.items()},
    }
