"""What every engine must do, as checks on an open engine beside a plain forward pass over the same checkpoint.

A test module brings the engine, and runs each check of ``CONTRACT`` on it.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import Any

import pytest
from jsonschema_rs import validate

from agents.core.errors import EngineError, PromptTooLongError
from agents.engines.protocol import Engine
from training.support.plain_model import plain_logprobs

TOLERANCE_NATS = 1e-3
PROMPT = list(range(5, 45))
CONTINUATIONS = [[11, 12, 13], [11, 12, 19, 19], [17], []]
SCHEMA = {
    "type": "object",
    "properties": {
        "why": {"type": "string", "minLength": 2, "maxLength": 12},
        "sure": {"type": "boolean"},
        "answer": {"type": "string", "enum": ["A", "B"]},
    },
    "required": ["why", "sure", "answer"],
    "additionalProperties": False,
}

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


async def continuations_asked_again_are_the_same_wherever_a_block_of_a_cache_ends(engine: Engine, model: Any) -> None:
    draw = random.Random(1)
    for length in (15, 16, 31, 32, 33, 64):
        prompt, *continuations = [[draw.randrange(5, 250) for _ in range(tokens)] for tokens in (length, 5, 1, 3, 4)]
        expected = plain_continuations(model, prompt, continuations)
        for _ in range(2):
            found = await engine.continuation_logprobs(prompt, continuations)
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


async def what_is_generated_under_a_json_schema_parses_and_fits_it(engine: Engine, model: Any) -> None:
    options: dict[str, Any] = {"max_tokens": 150, "temperature": 1.0, "json_schema": SCHEMA}
    made = await asyncio.gather(*(engine.generate(PROMPT, seed=seed, **options) for seed in range(4)))
    ended = [generation for generation in made if generation.finish_reason == "stop"]
    # An engine may allow white space between the parts, so that a text need not end in time.
    assert ended
    for generation in ended:
        validate(SCHEMA, json.loads(engine.tokenizer.decode(generation.token_ids)))


async def a_schema_that_cannot_be_compiled_is_one_sentence_and_the_engine_goes_on(engine: Engine, model: Any) -> None:
    with pytest.raises(EngineError) as caught:
        await engine.generate(PROMPT, max_tokens=5, json_schema={"type": "nonsense"})
    assert "nonsense" in str(caught.value)
    assert "\n" not in str(caught.value)
    await engine.check_health()
    await what_is_generated_under_a_json_schema_parses_and_fits_it(engine, model)


async def answers_do_not_wait_for_a_generation_and_cancelling_it_stops_it(engine: Engine, model: Any) -> None:
    endless = {"type": "string", "minLength": engine.max_tokens}
    options: dict[str, Any] = {"max_tokens": engine.max_tokens // 2, "temperature": 1.0, "json_schema": endless}
    writing = asyncio.create_task(engine.generate(PROMPT, seed=1, **options))
    await next_token_logprobs_are_those_of_a_plain_pass_in_the_order_asked_for(engine, model)
    assert not writing.done()
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
    continuations_asked_again_are_the_same_wherever_a_block_of_a_cache_ends,
    greedy_generation_takes_the_likeliest_token_each_time,
    sampling_with_a_seed_can_be_repeated,
    a_prompt_that_just_fits_is_computed_and_a_longer_one_refused,
    a_request_for_an_unknown_adapter_or_without_a_token_says_so,
    what_is_generated_under_a_json_schema_parses_and_fits_it,
    a_schema_that_cannot_be_compiled_is_one_sentence_and_the_engine_goes_on,
    answers_do_not_wait_for_a_generation_and_cancelling_it_stops_it,
]


async def check_closing(engine: Engine) -> None:
    """To be run last: a closed engine says so, and may be closed again."""
    await engine.close()
    await engine.close()
    with pytest.raises(EngineError, match="closed"):
        await engine.check_health()
    with pytest.raises(EngineError, match="closed"):
        await engine.next_token_logprobs(PROMPT, [1])
