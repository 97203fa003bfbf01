"""Rows that the organisers' filter lets through and that nobody would call a question."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agents.core.edition import load_edition
from agents.core.rules import broken_question_rule

EDITION = load_edition("feb2026_iitd")
SHAPES = Path(__file__).parents[1] / "shapes"

_WORDS = [
    "Ravi",
    "Mina",
    "is",
    "the",
    "uncle",
    "of",
    "café",
    "東京",
    "Москва",
    "مرحبا",
    "नमस्ते",
    "🙂",
    "x",
    "42",
    "A)",
    "B)",
]
_ODD = [
    "",
    " ",
    "\t",
    "\n\n",
    "\x00",
    "\x07",
    "\u200b",
    "\u202e",
    "\u2028",
    "\ufeff",
    "\x1b[31m",
    "Question: ",
    "\nChoices: ",
]
_LABELS = ["{}) ", "{})", "{}. ", "{}: ", "{}", "{}) {}) ", "{}  ", "{}-", "{}\n"]
_TOPICS: list[Any] = [None, 7, 1.5, True, [], ["x"], {}, {"a": 1}, "", "Topic", "\x00", "Seating/" * 50]
_KEYS = ["A", "b", "", "E", "C) c", "nothing", "\x00", " "]


def count_tokens(text: str) -> int:
    """About as a tokenizer of English does: 128 blanks are one token."""
    return len(text.split()) + sum(1 for c in text if ord(c) > 127) + text.count(" ") // 128


def row(rng: random.Random) -> dict[str, Any]:
    """One generated row; not every one passes the filter."""

    def text(words: int) -> str:
        parts = [rng.choice(_ODD if rng.random() < 0.2 else _WORDS) for _ in range(rng.randint(0, words))]
        blanks = " " * rng.choice([1, 1, 1, 1, 3000])
        return blanks.join(parts)

    letters = rng.choice(["ABCD", "abcd", "AAAA", "DCBA", "BBCD", "aBcD", "ACBD"])
    texts = [text(6) for _ in range(4)]
    for _ in range(rng.choice([0, 0, 1, 1, 2, 3])):
        texts[rng.randrange(4)] = texts[rng.randrange(4)]
    label = rng.choice(_LABELS)
    choices = [label.format(letter, letter) + body for letter, body in zip(letters, texts, strict=True)]
    return {
        "topic": rng.choice(_TOPICS),
        "question": text(12),
        "choices": choices,
        "answer": rng.choice(_KEYS),
        **({"explanation": "why"} if rng.random() < 0.5 else {}),
        **({"questions": 5, "options": ["x"], "id": [1]} if rng.random() < 0.2 else {}),
    }


def playable_rows(number: int, seed: int = 15) -> list[dict[str, Any]]:
    """``number`` rows that the filter lets through, the same ones for a seed."""
    return [found for found, _ in zip(_playable(random.Random(seed)), range(number), strict=False)]


def _playable(rng: random.Random) -> Iterator[dict[str, Any]]:
    while True:
        made = row(rng)
        if broken_question_rule(made, count_tokens, EDITION) is None:
            yield made


def shape_rows() -> list[dict[str, Any]]:
    """The rows of every file in tests/shapes that the filter lets through."""
    found: list[dict[str, Any]] = []

    def visit(node: Any) -> None:
        if isinstance(node, dict) and "question" in node:
            found.append(node)
        elif isinstance(node, (dict, list)):
            for inner in node.values() if isinstance(node, dict) else node:
                visit(inner)

    for path in sorted(SHAPES.rglob("*.json")):
        visit(json.loads(path.read_text("utf-8")))
    return found
