"""Log-probs of chosen tokens out of every vLLM there is, each as its own sources answer a request."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from agents.core.errors import EngineError
from agents.engines.vllm.limits import MAX_CANDIDATES
from agents.engines.vllm.token_scores import TokenScores

VOCABULARY = 400
PROMPT = [3, 1, 4, 1, 5]
FIELDS_OF_0_11_0 = frozenset({"temperature", "max_tokens", "logprobs", "prompt_logprobs", "allowed_token_ids"})
FIELDS_OF_0_11_1 = FIELDS_OF_0_11_0 | {"skip_reading_prefix_cache"}
FIELDS_OF_0_20 = FIELDS_OF_0_11_1 | {"logprob_token_ids"}


def after(tokens: Sequence[int]) -> list[float]:
    """The log-probs of a model: of each token after ``tokens``."""
    random = Random(str(list(tokens)))
    logits = [random.gauss(0, 2) for _ in range(VOCABULARY)]
    total = math.log(sum(map(math.exp, logits)))
    return [logit - total for logit in logits]


@dataclass
class Vllm:
    """Answers as vLLM's sampler and its ``LogprobsProcessor`` do; ``needs_number`` is a trait of 0.20 alone."""

    fields: frozenset[str]
    needs_number: bool = False
    cached: int = 0
    loses_restrictions: bool = False
    requests: list[dict[str, Any]] = field(default_factory=list)

    async def __call__(self, prompt: Sequence[int], adapter: str | None, *, max_tokens: int, **options: Any) -> Any:
        unknown = set(options) - self.fields
        if unknown:
            raise TypeError(f"Unexpected keyword argument '{min(unknown)}'")
        assert max_tokens == 1
        self.requests.append(options)
        inside = options.get("prompt_logprobs")
        # From 0.11.1 on the request chooses; before, a request for a prompt's log-probs never reads the cache.
        reads = not options.get("skip_reading_prefix_cache", inside is not None)
        return SimpleNamespace(
            num_cached_tokens=self.cached if reads else 0,
            prompt_logprobs=None if inside is None else self._prompt_rows(prompt, self.cached if reads else 0),
            outputs=[SimpleNamespace(logprobs=self._rows(after(prompt), options))],
        )

    def _prompt_rows(self, prompt: Sequence[int], cached: int) -> list[Any]:
        values = [after(prompt[:i])[token] if i >= cached else 7.0 for i, token in enumerate(prompt)]
        return [None, *({t: SimpleNamespace(logprob=v)} for t, v in zip(prompt[1:], values[1:], strict=True))]

    def _rows(self, values: list[float], options: dict[str, Any]) -> list[dict[int, Any]] | None:
        ids, number = options.get("logprob_token_ids"), options.get("logprobs")
        if number is None and (ids is None or self.needs_number):
            return None
        ranked = sorted(range(VOCABULARY), key=values.__getitem__, reverse=True)
        allowed = range(VOCABULARY) if self.loses_restrictions else options.get("allowed_token_ids", ranked)
        sampled = next(token for token in ranked if token in allowed)
        chosen = ids if ids is not None else ranked[:number]
        return [{token: SimpleNamespace(logprob=values[token]) for token in (sampled, *chosen)}]


VERSIONS = {
    "0.11.0": Vllm(FIELDS_OF_0_11_0),
    "0.11.1": Vllm(FIELDS_OF_0_11_1),
    "0.20": Vllm(FIELDS_OF_0_20, needs_number=True),
    "0.21": Vllm(FIELDS_OF_0_20),
}


def scored(vllm: Vllm, tokens: list[int], start: int, candidates: list[int]) -> list[float]:
    return asyncio.run(TokenScores(vllm, vllm.fields).score(tokens, start, candidates, None))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_gives_the_models_own_numbers(version: str) -> None:
    vllm = VERSIONS[version]
    true = after(PROMPT)
    likely = sorted(range(VOCABULARY), key=true.__getitem__)
    candidates = [likely[-1], likely[0], likely[VOCABULARY // 2], likely[-2]]
    assert scored(vllm, PROMPT, len(PROMPT), candidates) == [true[candidate] for candidate in candidates]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("cached", [0, 2, 4])
def test_a_continuation_is_scored_token_by_token_whatever_is_cached(version: str, cached: int) -> None:
    vllm = Vllm(VERSIONS[version].fields, VERSIONS[version].needs_number, cached=cached)
    true = [after(PROMPT[:3])[1], after(PROMPT[:4])[5], after([*PROMPT[:3], 1, 5])[9]]
    assert scored(vllm, [*PROMPT[:3], 1, 5], 3, [9]) == true


def test_the_old_way_asks_alone_only_for_what_is_not_among_the_likeliest() -> None:
    vllm = Vllm(FIELDS_OF_0_11_0)
    likely = sorted(range(VOCABULARY), key=after(PROMPT).__getitem__, reverse=True)
    scored(vllm, PROMPT, len(PROMPT), [*likely[:3], likely[MAX_CANDIDATES]])
    assert [request.get("allowed_token_ids") for request in vllm.requests] == [None, [likely[MAX_CANDIDATES]]]


def test_another_tokens_number_is_never_taken_for_the_one_that_was_asked_for() -> None:
    vllm = Vllm(FIELDS_OF_0_11_1, loses_restrictions=True)
    least = min(range(VOCABULARY), key=after(PROMPT).__getitem__)
    with pytest.raises(EngineError, match=f"another token than the only one that was allowed, {least}"):
        scored(vllm, PROMPT, len(PROMPT), [least])


def test_numbers_that_vllm_does_not_return_are_an_error() -> None:
    class Silent(Vllm):
        def _rows(self, values: list[float], options: dict[str, Any]) -> None:
            return None

    with pytest.raises(EngineError, match=r"no log-prob of the tokens \[7, 8\]"):
        scored(Silent(FIELDS_OF_0_20), PROMPT, len(PROMPT), [7, 8])
