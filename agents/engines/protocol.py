"""What every engine offers. It knows nothing of questions, so a fake is a few lines.

All methods are coroutines: cancelling the task that awaits one stops its work, at the latest before the next batch.
Log-probabilities are natural logarithms over the full vocabulary, before any temperature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from agents.core.tokenizer import Tokenizer

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class Generation:
    """Token ids generated after a prompt, without the prompt and without the end token."""

    token_ids: tuple[int, ...]
    finish_reason: FinishReason


class Engine(Protocol):
    """One model, and the adapters on it that it was opened with. ``adapter=None`` is the bare model."""

    @property
    def tokenizer(self) -> Tokenizer: ...

    @property
    def dtype(self) -> str:
        """The precision of the arithmetic: ``float32`` or ``bfloat16``. It sets the tolerance of a parity check."""
        ...

    @property
    def max_tokens(self) -> int:
        """The most tokens a prompt and what follows it may have together."""
        ...

    async def next_token_logprobs(
        self, prompt: Sequence[int], candidates: Sequence[int], adapter: str | None = None
    ) -> list[float]:
        """Log-probability of each candidate as the token after ``prompt``, in the order given.

        Raises PromptTooLongError, or EngineError when the model fails or does not know the adapter.
        """
        ...

    async def continuation_logprobs(
        self, prompt: Sequence[int], continuations: Sequence[Sequence[int]], adapter: str | None = None
    ) -> list[list[float]]:
        """For each continuation, one log-probability a token, given the prompt and the tokens before it.

        Raises as ``next_token_logprobs`` does.
        """
        ...

    async def generate(
        self,
        prompt: Sequence[int],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int | None = None,
        json_schema: dict[str, Any] | None = None,
        adapter: str | None = None,
    ) -> Generation:
        """Up to ``max_tokens`` tokens after ``prompt``; greedy at temperature 0, reproducible with a seed.

        With ``json_schema`` a text that ends (``stop``) is JSON of that schema; one cut off at ``max_tokens`` is the
        beginning of one. Raises as ``next_token_logprobs`` does, and EngineError for a schema that cannot be compiled.
        """
        ...

    async def check_health(self) -> None:
        """Returns when the engine can compute; raises EngineError when it cannot."""
        ...

    async def close(self) -> None:
        """Stops the engine and frees its memory. Calls that are waiting end with EngineError. Idempotent."""
        ...
