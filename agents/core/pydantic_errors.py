"""Turn the first problem that pydantic finds into one of our errors."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from agents.core.errors import InputError, describe

E = TypeVar("E", bound=InputError)

MAX_CHARS = 300
"""Bounds a field and a message. Ours take up to 150."""


def validation_error(error: ValidationError, kind: type[E], place: str, *, whole: str) -> E:
    """Return the error of class ``kind`` for the first problem, its field written as "place: a.b.0".

    ``whole`` names the value itself, where no field of it is at fault.
    """
    problem = first_problem(error, whole)
    field = f"{place}: {problem.field}"
    if problem.kind == "missing":
        return kind(field, "no such field", "a value")
    return kind(field, describe(problem.found), problem.message)


class ValidationProblem(NamedTuple):
    """A problem that pydantic found: its type there, the field as "a.b.0", the value, and a message in lower case."""

    kind: str
    field: str
    found: Any
    message: str


def first_problem(error: ValidationError, whole: str) -> ValidationProblem:
    """Return the first problem; ``whole`` is its field where the value itself is at fault."""
    first = error.errors(include_url=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    field = ".".join(map(str, first["loc"])) or whole
    return ValidationProblem(first["type"], _short(field), first["input"], _short(message[:1].lower() + message[1:]))


def _short(text: str) -> str:
    """Return text that is safe to print: fields have names, and messages quote values, that someone else chose."""
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= MAX_CHARS else text[:MAX_CHARS] + "…"
