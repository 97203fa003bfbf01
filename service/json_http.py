"""JSON in requests and responses.

Bodies are parsed here and not by the framework, so that every error names what is wrong.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from starlette.responses import Response

from agents.core.errors import InputError, describe

T = TypeVar("T")


class JsonResponse(Response):
    """JSON of data that may hold any text: a lone surrogate is written out as a backslash escape, not as bytes."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        # Doubled, since what stands here is inside a JSON string: "\ud800" would be read as the surrogate again.
        return re.sub("[\ud800-\udfff]", lambda match: f"\\\\u{ord(match[0]):04x}", text).encode()


def parse_json(body: bytes, read: Callable[[Any], T]) -> T:
    """``read`` applied to the JSON in ``body``; the content type is not looked at, since curl sends a form's.

    Raises InputError for a body that is not JSON, holds a number that is not finite, or is nested too deep to read, and
    what ``read`` raises.
    """
    if not body.strip():
        raise InputError("body", "no body", "JSON")
    try:
        return read(json.loads(body, parse_constant=_not_finite, parse_float=_finite))
    except RecursionError:
        raise InputError("body", "JSON that is nested too deep", "a question, or a list of questions") from None
    except ValueError as error:
        raise InputError("body", f"text that is not JSON ({_reason(error)})", "JSON in UTF-8") from None


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        _not_finite(text)
    return value


def _not_finite(text: str) -> NoReturn:
    raise InputError("body", f"the number {describe(text)}", "finite numbers")


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno}"
    return "bytes that are not UTF-8" if isinstance(error, UnicodeDecodeError) else "a number with too many digits"
