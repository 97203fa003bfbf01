"""What every engine must do, as checks on an open engine beside a plain forward pass over the same checkpoint.

A test module brings the engine, and runs each check of ``CONTRACT`` on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import Any

import pytest

from agents.engines.protocol import Engine
from agents.errors import EngineError, PromptTooLongError
from training.probes import plain_logprobs

TOLERANCE_NATS = 1e-3
PROMPT = list(range(5, 45))
CONTINUATIONS = [[11, 12, 13], [11, 12, 19, 19], [17], []]

Check = Callable[[Engine, Any], Awaitable[None]]


def plain_continuations(model: Any, prompt: Sequence[int], continuations: Sequence[Sequence[int]]) -> list[float]:
    """The log-prob of every token of every continuation, one forward pass each, in one list."""
    values = []
    for continuation in continuations:
        rows = plain_logprobs(model, [*prompt, *continuation])
        values += [float(rows[len(prompt) - 1 + i, token]) for i, token in enumerate(continuation)]
    return values


async def next_token_logprobs_are_those_of_a_plain_pass_in_the_order_asked_for(engine: Engine, model: Any) -> None:
    candidates = [9, 3, 250, 9]
    last = plain_logprobs(model, PROMPT)[-1]
    found = await engine.next_token_logprobs(PROMPT, candidates)
    assert found == pytest.approx([float(last[c]) for c in candidates], abs=TOLERANCE_NATS)


async def there_may_be_many_candidates(engine: Engine, model: Any) -> None:
    candidates = list(range(200))
    last = plain_logprobs(model, PROMPT)[-1]
    found = await engine.next_token_logprobs(PROMPT, candidates)
    assert found == pytest.approx(last[:200].tolist(), abs=TOLERANCE_NATS)


async def continuation_logprobs_are_those_of_a_plain_pass_token_for_token(engine: Engine, model: Any) -> None:
    found = await engine.continuation_logprobs(PROMPT, CONTINUATIONS)
    assert [len(row) for row in found] == [3, 4, 1, 0]
    expected = plain_continuations(model, PROMPT, CONTINUATIONS)
    assert list(chain.from_iterable(found)) == pytest.approx(expected, abs=TOLERANCE_NATS)


async def a_batch_gives_what_its_prompts_give_alone(engine: Engine, model: Any) -> None:
    prompts = [PROMPT, [*PROMPT[:20], 99, 98], [3, 4], PROMPT[:30], PROMPT]
    together = await asyncio.gather(*(engine.continuation_logprobs(prompt, CONTINUATIONS) for prompt in prompts))
    for prompt, found in zip(prompts, together, strict=True):
        expected = plain_continuations(model, prompt, CONTINUATIONS)
        assert list(chain.from_iterable(found)) == pytest.approx(expected, abs=TOLERANCE_NATS)


async def greedy_generation_takes_the_likeliest_token_each_time(engine: Engine, model: Any) -> None:
    tokens = list(PROMPT)
    for _ in range(6):
        tokens.append(int(plain_logprobs(model, tokens)[-1].argmax()))
    generation = await engine.generate(PROMPT, max_tokens=6)
    assert generation.finish_reason == "length"
    assert list(generation.token_ids) == tokens[len(PROMPT) :]


async def sampling_with_a_seed_can_be_repeated(engine: Engine, model: Any) -> None:
    def sample(seed: int) -> Awaitable[Any]:
        return engine.generate(PROMPT, max_tokens=8, temperature=1.0, top_p=0.95, seed=seed)

    assert (await sample(3)).token_ids == (await sample(3)).token_ids
    assert (await sample(3)).token_ids != (await sample(4)).token_ids


async def a_prompt_that_just_fits_is_computed_and_a_longer_one_refused(engine: Engine, model: Any) -> None:
    longest = [7] * (engine.max_tokens - 4)
    assert len((await engine.continuation_logprobs(longest, [[1, 2, 3]]))[0]) == 3
    with pytest.raises(PromptTooLongError, match="context holds"):
        await engine.continuation_logprobs([*longest, 7], [[1, 2, 3, 4]])
    with pytest.raises(PromptTooLongError, match="context holds"):
        await engine.generate(longest, max_tokens=5)


async def a_request_for_an_unknown_adapter_or_without_a_token_says_so(engine: Engine, model: Any) -> None:
    with pytest.raises(EngineError, match="absent"):
        await engine.next_token_logprobs(PROMPT, [1], adapter="absent")
    with pytest.raises(EngineError, match="at least one token"):
        await engine.next_token_logprobs([], [1])


async def cancelling_stops_the_work_and_leaves_the_engine_well(engine: Engine, model: Any) -> None:
    writing = asyncio.create_task(engine.generate(PROMPT, max_tokens=engine.max_tokens // 2, temperature=1.0, seed=1))
    await engine.next_token_logprobs(PROMPT, [1])
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await engine.check_health()
    await next_token_logprobs_are_those_of_a_plain_pass_in_the_order_asked_for(engine, model)


CONTRACT: list[Check] = [
    next_token_logprobs_are_those_of_a_plain_pass_in_the_order_asked_for,
    there_may_be_many_candidates,
    continuation_logprobs_are_those_of_a_plain_pass_token_for_token,
    a_batch_gives_what_its_prompts_give_alone,
    greedy_generation_takes_the_likeliest_token_each_time,
    sampling_with_a_seed_can_be_repeated,
    a_prompt_that_just_fits_is_computed_and_a_longer_one_refused,
    a_request_for_an_unknown_adapter_or_without_a_token_says_so,
    cancelling_stops_the_work_and_leaves_the_engine_well,
]


async def check_closing(engine: Engine) -> None:
    """To be run last: a closed engine says so, and may be closed again."""
    await engine.close()
    await engine.close()
    with pytest.raises(EngineError, match="closed"):
        await engine.check_health()
    with pytest.raises(EngineError, match="closed"):
        await engine.next_token_logprobs(PROMPT, [1])
