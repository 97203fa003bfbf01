"""Checks of a request that every engine makes before it computes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from agents.core.errors import EngineError, PromptTooLongError


def check_adapter(adapter: str | None, adapters: Collection[str | None]) -> None:
    """Raise EngineError, with the names there are, unless ``adapter`` is one of them."""
    if adapter not in adapters:
        known = ", ".join(sorted(name for name in adapters if name)) or "none"
        raise EngineError(f"adapter {adapter!r} is not loaded; loaded adapters: {known}")


def check_prompt(prompt: Sequence[int], extra: int, limit: int | None, whose: str = "the model's") -> None:
    """Raise EngineError for an empty prompt, PromptTooLongError when it and ``extra`` tokens are over ``limit``."""
    if not prompt:
        raise EngineError("a prompt needs at least one token")
    if limit is not None and len(prompt) + extra > limit:
        raise PromptTooLongError(f"a prompt of {len(prompt) + extra:,} tokens; {whose} context holds {limit:,}")
