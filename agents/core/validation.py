"""Turn the first problem that pydantic finds into one of our errors."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError

from agents.core.errors import InputError, describe

E = TypeVar("E", bound=InputError)


def validation_error(error: ValidationError, kind: type[E], place: str, *, whole: str) -> E:
    """Return the error of class ``kind`` for the first problem, its field written as "place: a.b.0".

    ``whole`` names the value itself, where no field of it is at fault.
    """
    first = error.errors(include_url=False)[0]
    field = f"{place}: {'.'.join(map(str, first['loc'])) or whole}"
    if first["type"] == "missing":
        return kind(field, "no such field", "a value")
    message = first["msg"].removeprefix("Value error, ")
    return kind(field, describe(first["input"]), message[:1].lower() + message[1:])
