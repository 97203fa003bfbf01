"""Log-probs of chosen tokens, asked for in the way that the installed vLLM knows.

From 0.20 ``logprob_token_ids`` returns exactly the tokens that are asked for. Versions before it give the likeliest
tokens; each candidate that is not among those is then the only token that a request of its own may sample. The log-prob
is vLLM's raw one in both cases, from before that restriction. The prompt's log-probs would also be right, but the whole
prompt is computed anew for each token.
"""

from __future__ import annotations

from collections.abc import Awaitable, Container, Sequence
from typing import Any, Protocol

from agents.core.errors import EngineError
from agents.engines.vllm.limits import MAX_CANDIDATES
from agents.support.concurrency import run_together


class RunRequest(Protocol):
    """Runs one request with these fields of vLLM's ``SamplingParams`` and returns vLLM's last output for it."""

    def __call__(
        self, prompt: Sequence[int], adapter: str | None, *, max_tokens: int, **options: Any
    ) -> Awaitable[Any]: ...


class TokenScores:
    """Scores tokens with ``run``. ``fields`` are the names of the fields that vLLM's ``SamplingParams`` has."""

    def __init__(self, run: RunRequest, fields: Container[str]) -> None:
        self._run = run
        self._by_id = "logprob_token_ids" in fields
        self._chooses_cache = "skip_reading_prefix_cache" in fields

    async def score(
        self, tokens: Sequence[int], start: int, candidates: Sequence[int], adapter: str | None
    ) -> list[float]:
        """Log-probs of ``tokens[start:]``, then of each candidate after all of ``tokens``.

        Raises EngineError for numbers that vLLM did not return, and what ``run`` raises.
        """
        inside = tokens[start:]
        # By itself vLLM computes the whole prompt anew when its log-probs are asked for. Tokens out of the cache have
        # none: one of its runners leaves their rows out, another fills them with whatever was in memory. So the rows
        # are counted from the end, and none that is read may be a cached token's.
        wanted = self._after(candidates) | {"prompt_logprobs": 0 if inside else None}
        output = await self._ask(tokens, adapter, wanted, skip_cache=False)
        if inside and (output.num_cached_tokens or 0) >= start:
            output = await self._ask(tokens, adapter, wanted, skip_cache=True)
        rows = output.prompt_logprobs[-len(inside) :] if inside else []
        scores = [float(row[token].logprob) for row, token in zip(rows, inside, strict=True)]
        found = _first_row(output)
        missing = [candidate for candidate in candidates if candidate not in found]
        if missing and self._by_id:
            raise EngineError(f"vLLM returned no log-prob of the tokens {missing}, which were asked for")
        alone = await run_together(self._alone(tokens, candidate, adapter) for candidate in missing)
        values = {token: float(value.logprob) for token, value in found.items()} | dict(
            zip(missing, alone, strict=True)
        )
        return scores + [values[candidate] for candidate in candidates]

    def _after(self, candidates: Sequence[int]) -> dict[str, Any]:
        """The fields that ask for the log-probs of what may come after the prompt."""
        if self._by_id:
            # 0.20 returns none at all unless their number is said as well.
            return {"logprob_token_ids": list(candidates), "logprobs": len(candidates)}
        if len(candidates) == 1:
            return {"allowed_token_ids": list(candidates), "logprobs": 0}
        return {"logprobs": MAX_CANDIDATES}

    async def _ask(
        self, tokens: Sequence[int], adapter: str | None, wanted: dict[str, Any], *, skip_cache: bool
    ) -> Any:
        # 0.11.0 does not know the choice, and never reads the cache where a prompt's log-probs are asked for.
        choice = {"skip_reading_prefix_cache": skip_cache} if self._chooses_cache else {}
        return await self._run(tokens, adapter, max_tokens=1, **wanted, **choice)

    async def _alone(self, tokens: Sequence[int], candidate: int, adapter: str | None) -> float:
        found = _first_row(await self._ask(tokens, adapter, self._after([candidate]), skip_cache=False))
        if candidate not in found:
            # 0.11 loses the restriction of requests that it moves within a batch; no other token's number is taken.
            raise EngineError(f"vLLM sampled another token than the only one that was allowed, {candidate}")
        return float(found[candidate].logprob)


def _first_row(output: Any) -> dict[int, Any]:
    """What vLLM returned of the first token after the prompt: by token id."""
    rows = output.outputs[0].logprobs
    return rows[0] if rows else {}
