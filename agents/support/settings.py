"""Settings that are environment variables: read with errors that name the variable, and listed for the README."""

from __future__ import annotations

import os
from typing import Any, Literal, TypeVar, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings

from agents.core.errors import InputError, describe

S = TypeVar("S", bound=BaseSettings)

MATCHES_FOLDER = "matches"
"""Where matches are logged and looked for, below the working folder, unless AIAC_MATCHES says otherwise."""

EXPECTED = "expected"
"""The type of validation errors whose message is the phrase after "expected"."""


def read_settings(kind: type[S], **overrides: Any) -> S:
    """Settings from the environment, with ``overrides`` put over them; an override of None counts as not given.

    Raises InputError for the first bad value. Its field is the environment variable, also for an override, which stands
    for it. A secret's value is never in the message.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return kind(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        field = kind.model_fields.get(name)
        value = given.get(name, os.environ.get(variable(kind, name), first["input"]))
        found = f"a key of {len(str(value))} characters" if field and _is_secret(field) else describe(value)
        raise InputError(variable(kind, name), found, _expected(field, first)) from None


def settings_table(kind: type[BaseSettings]) -> str:
    """The Markdown table of all settings: variable, default, meaning. One line a setting."""
    lines = ["| Variable | Default | Meaning |", "|---|---|---|"]
    for name, field in kind.model_fields.items():
        default = "not set" if field.default is None else f"`{field.default}`"
        lines.append(f"| `{variable(kind, name)}` | {default} | {field.description} |")
    return "\n".join(lines)


def variable(kind: type[BaseSettings], name: str) -> str:
    """The environment variable of a field."""
    return f"{kind.model_config.get('env_prefix', '')}{name}".upper()


def one_of(value: str, known: tuple[str, ...]) -> str:
    """``value``, for a validator. Raises the error that ``read_settings`` reads when it is not among ``known``."""
    if value not in known:
        raise PydanticCustomError(EXPECTED, "{known}", {"known": "one of " + ", ".join(known)})
    return value


def _is_secret(field: FieldInfo) -> bool:
    return field.annotation is SecretStr or SecretStr in get_args(field.annotation)


def _expected(field: FieldInfo | None, error: ErrorDetails) -> str:
    if error["type"] == EXPECTED or field is None:
        return error["msg"]
    for kind in (field.annotation, *get_args(field.annotation)):
        if get_origin(kind) is Literal:
            return "one of " + ", ".join(get_args(kind))
    low, high = _bounds(field, Ge, "ge"), _bounds(field, Le, "le")
    above = _bounds(field, Gt, "gt")
    if bool in (field.annotation, *get_args(field.annotation)):
        return "true or false"
    if above is not None and high is not None:
        return f"a number above {above:,} and at most {high:,}"
    return "a non-empty string" if low is None or high is None else f"a whole number from {low:,} to {high:,}"


def _bounds(field: FieldInfo, kind: type, attribute: str) -> Any:
    return next((getattr(item, attribute) for item in field.metadata if isinstance(item, kind)), None)
