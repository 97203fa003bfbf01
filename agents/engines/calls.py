"""What engines do alike with a request: check it, split it, and run its parts together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from agents.core.errors import EngineError, PromptTooLongError

T = TypeVar("T")


def check_adapter(adapter: str | None, adapters: Collection[str | None]) -> None:
    """Raises EngineError, with the names there are, unless ``adapter`` is one of them."""
    if adapter not in adapters:
        known = ", ".join(sorted(name for name in adapters if name)) or "none"
        raise EngineError(f"adapter {adapter!r} is not loaded; loaded adapters: {known}")


def check_prompt(prompt: Sequence[int], extra: int, limit: int | None, whose: str = "the model's") -> None:
    """Raises EngineError for an empty prompt, PromptTooLongError when it and ``extra`` tokens are over ``limit``."""
    if not prompt:
        raise EngineError("a prompt needs at least one token")
    if limit is not None and len(prompt) + extra > limit:
        raise PromptTooLongError(f"a prompt of {len(prompt) + extra:,} tokens; {whose} context holds {limit:,}")


async def score_in_parts(
    candidates: Sequence[int], most: int, score: Callable[[list[int]], Coroutine[Any, Any, list[float]]]
) -> list[float]:
    """A score for each candidate, from ``score`` of parts of at most ``most`` of them, in which none stands twice."""
    unique = list(dict.fromkeys(candidates))
    found = await together(score(unique[start : start + most]) for start in range(0, len(unique), most))
    table = dict(zip(unique, [value for part in found for value in part], strict=True))
    return [table[candidate] for candidate in candidates]


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results, in order; the first failure cancels the others."""
    tasks = [asyncio.create_task(item) for item in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        await cancelled(tasks)


async def cancelled(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancels what still runs and waits until it has ended: a connection is closed by then."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
