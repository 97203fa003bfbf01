"""What the organisers' two model files have in common: prompts in, texts out, in the shape that theirs returns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
Result = tuple[T, int | None, float | None]


def respond(
    message: str | list[str],
    texts_of: Callable[[list[str]], Sequence[str]],
    tokenizer: Callable[[], Any],
    *,
    tgps_show: bool,
) -> Result[str] | Result[list[str]]:
    """A text for a prompt, or a list of them for a list, even of one; then tokens and seconds.

    Tokens, as ``tokenizer()`` counts them, and seconds are None unless ``tgps_show``.
    """
    started = time.perf_counter()
    texts = list(texts_of([message] if isinstance(message, str) else message))
    spent: tuple[int | None, float | None] = (None, None)
    if tgps_show:
        tokens = sum(len(tokenizer().encode(text, add_special_tokens=False)) for text in texts)
        spent = (tokens, time.perf_counter() - started)
    return (texts[0], *spent) if isinstance(message, str) else (texts, *spent)
