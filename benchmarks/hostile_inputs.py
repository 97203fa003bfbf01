"""Hostile input, made from a seed: rows of questions, HTTP bodies, proofs, settings of adapters, and manifests."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

TEXTS: Sequence[str] = (
    "", " ", "\x00", "\ud800", "\u202e", "\ufeff", "A)", "A) A)", "A) " * 1000, "(A", "<|im_end|>", "</s><s>[INST]",
    "{{ 7 * 7 }}", "%s%n", "../../etc/passwd", "🙂" * 500, "é" * 4000, "x" * 100_000, "\n" * 5000, "[" * 5000,
    '{"question": "x"}', "null", "NaN", "1e999", "A" * 21_000, "e\u0301" * 3000, "None of the above",
)  # fmt: skip
VALUES: Sequence[Any] = (
    None, True, 0, -1, 10**30, 1.5, math.nan, math.inf, [], {}, [[]], [None], [[[[[[[[[[]]]]]]]]]], {"A": {"A": {}}},
    "A", 99, [1, 2, 3, 4], list(range(5000)),
)  # fmt: skip
ROW = {"topic": "Logic", "question": "What is 2 + 2?", "choices": ["A) 3", "B) 4", "C) 5", "D) 6"], "answer": "B"}


def text_of(rng: random.Random) -> str:
    """Draw a text that has broken a reader somewhere, alone or beside honest text."""
    text = rng.choice(TEXTS)
    return rng.choice((text, f"{text} What is it?", f"What {text} is it?", "What is it? " + text))


def question_rows(count: int, seed: int) -> list[Any]:
    """Make rows, about half of which are questions by the organisers' filter."""
    rng = random.Random(f"{seed}/rows")
    return [_row(rng) for _ in range(count)]


def _row(rng: random.Random) -> Any:
    row: dict[str, Any] = json.loads(json.dumps(ROW))
    kind = rng.randrange(8)
    if kind == 0:
        return rng.choice(VALUES)
    if kind == 1:
        row["question"] = text_of(rng)
    elif kind == 2:
        # The filter does not mind choices that are equal.
        words = [rng.choice(("Ravi", "Asha", "Dev", " ", "A) A")) for _ in range(4)]
        row["choices"] = [f"{letter}) {word}" for letter, word in zip("ABCD", words, strict=True)]
    elif kind == 3:
        row["choices"] = [f"{letter}) {text_of(rng)}" for letter in "ABCD"]
    elif kind == 4:
        row[rng.choice(list(row))] = rng.choice(VALUES)
    elif kind == 5:
        del row[rng.choice(list(row))]
    elif kind == 6:
        row["choices"] = dict(zip(rng.choice(("ABCD", "abcd", "ABCE", "DCBA")), row["choices"], strict=True))
    else:
        row = {**row, "answer": rng.choice(("b", "B)", "B) 4", "4", "Z", 1)), "extra": text_of(rng)}
    return json.dumps(row) if rng.random() < 0.1 else row


def http_bodies(count: int, seed: int) -> list[tuple[str, bytes]]:
    """Make pairs of a path and a body for POST, most of them no JSON, or JSON of another shape."""
    rng = random.Random(f"{seed}/bodies")
    paths = ("/answer", "/answers", "/question", "/questions")
    found = []
    for row in question_rows(count, seed + 1):
        path = rng.choice(paths)
        body = json.dumps([row] if path == "/answers" and rng.random() < 0.5 else row).encode()
        kind = rng.randrange(6)
        if kind == 0:
            body = body[: rng.randrange(len(body) + 1)]
        elif kind == 1:
            body = bytes(rng.randrange(256) for _ in range(rng.randrange(300)))
        elif kind == 2:
            body = b"[" * rng.choice((1, 100, 50_000))
        elif kind == 3:
            body = body.decode().encode(rng.choice(("utf-16", "utf-32", "utf-8-sig")))
        found.append((path, body))
    return found


def changed(value: Any, rng: random.Random) -> Any:
    """Return a copy of JSON with one value, anywhere in it, changed for a hostile one."""
    value = json.loads(json.dumps(value))
    places = list(_places(value))
    if not places:
        return rng.choice(VALUES)
    holder, key = rng.choice(places)
    old = holder[key]
    if isinstance(old, list) and old and rng.random() < 0.5:
        holder[key] = old * rng.choice((2, 50, 2000))
    elif isinstance(old, int) and not isinstance(old, bool) and rng.random() < 0.7:
        holder[key] = rng.choice((-1, old + 1, old * 1000 + 7, 10**9, 10**30))
    else:
        holder[key] = text_of(rng) if rng.random() < 0.5 else rng.choice(VALUES)
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Go through every place that holds a value, as its container and key."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from _places(value[key])
