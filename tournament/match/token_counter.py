"""The tokenizer that counts tokens for the organisers' filter on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents.ensemble.base_model import FindModel

LIKE_THEIRS = ("Qwen2.5-Coder-0.5B-Instruct", "Qwen2.5-Coder-1.5B-Instruct")
"""Models of the catalogue whose tokenizer agrees with the organisers' (Qwen3-4B) on English text."""
OTHERWISE = "SmolLM2-135M-Instruct"
"""Small enough to be pulled for its tokenizer; its counts are close to theirs and not the same."""


@dataclass(frozen=True)
class TokenCounter:
    """A tokenizer, by the name of the model it comes from."""

    name: str
    count: Callable[[str], int]


def token_counter(find_model: FindModel, name: str | None = None) -> TokenCounter:
    """Return the tokenizer of the model or checkpoint folder ``name``.

    By default that of a model like the organisers' which has been pulled already. Raises as ``find_model`` does,
    DamagedModelError for a folder without a tokenizer.json, and MissingExtraError.
    """
    from agents.core.errors import DamagedModelError, first_line
    from agents.models.store import ModelStore
    from agents.support.missing_package import missing_package

    store = ModelStore()
    chosen = name or next((model for model in LIKE_THEIRS if store.is_ready(model)), OTHERWISE)
    file = find_model(chosen) / "tokenizer.json"
    try:
        # Not the engine's tokenizer: that brings torch, and a referee needs none.
        from tokenizers import Tokenizer
    except ImportError as error:
        raise missing_package(error.name) from None
    try:
        tokenizer: Any = Tokenizer.from_file(str(file))
    except Exception as error:
        # The library raises nothing more particular.
        raise DamagedModelError(str(file), first_line(error), "a tokenizer.json") from None

    # The same letters and short choices come again and again.
    @lru_cache(maxsize=1024)
    def count(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False).ids)

    return TokenCounter(chosen, count)
