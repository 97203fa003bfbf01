"""The remote engine over real HTTP against plain forward passes, on a tiny model and an adapter of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from engine_contract import CONTRACT, Check, plain_continuations
from openai_server import OpenAIServer, Reply
from tiny_checkpoint import write_tiny_adapter, write_tiny_checkpoint

from agents.core.errors import EngineError, InputError, PromptTooLongError
from agents.engines.remote.config import RemoteConfig, ServedNames
from agents.engines.remote.engine import RemoteEngine
from agents.engines.torch.engine import TransformersEngine
from training.support.plain_model import plain_logprobs, plain_model

PROMPT = list(range(5, 45))
CONTINUATIONS = [[1, 2, 3], [1, 2, 9, 9], [7], []]
PLAIN, TUNED = ServedNames("tiny"), ServedNames("tiny", ["tuned"])
FLOAT32 = RemoteConfig("float32")

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def adapter(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_adapter(tmp_path_factory.mktemp("adapter"), checkpoint)


@pytest.fixture(scope="module")
def embedded(checkpoint: Path, adapter: Path) -> Iterator[TransformersEngine]:
    engine = TransformersEngine.load(checkpoint, {"tuned": adapter}, dtype="float32")
    yield engine
    asyncio.run(engine.close())


@pytest.fixture
async def server(checkpoint: Path, embedded: TransformersEngine) -> AsyncIterator[OpenAIServer]:
    end_token = plain_model(checkpoint).generation_config.eos_token_id
    models = {"tiny": None, "tuned": "tuned"}
    async with OpenAIServer(embedded, models, parents={"tuned": "tiny"}, end_token=end_token) as server:
        yield server


@pytest.fixture
async def engine(server: OpenAIServer, checkpoint: Path) -> AsyncIterator[RemoteEngine]:
    engine = await RemoteEngine.open([server.url], checkpoint, TUNED, FLOAT32)
    yield engine
    await engine.close()


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
async def test_contract(check: Check, engine: RemoteEngine, checkpoint: Path) -> None:
    await check(engine, plain_model(checkpoint))


def flat(rows: list[list[float]]) -> list[float]:
    return [value for row in rows for value in row]


async def test_continuations_match_a_plain_forward_pass_token_for_token(engine, checkpoint):
    found = await engine.continuation_logprobs(PROMPT, CONTINUATIONS)
    assert [len(row) for row in found] == [3, 4, 1, 0]
    assert flat(found) == pytest.approx(plain_continuations(plain_model(checkpoint), PROMPT, CONTINUATIONS), abs=1e-3)


async def test_next_token_logprobs_match_and_keep_the_order_of_the_candidates(engine, checkpoint):
    candidates = [9, 3, 250, 9]
    found = await engine.next_token_logprobs(PROMPT, candidates)
    last = plain_logprobs(plain_model(checkpoint), PROMPT)[-1]
    assert found == pytest.approx([float(last[c]) for c in candidates], abs=1e-3)


async def test_an_adapter_gives_the_numbers_of_unmerged_peft_and_leaves_the_base_alone(engine, checkpoint, adapter):
    tuned, base = await asyncio.gather(
        engine.continuation_logprobs(PROMPT, CONTINUATIONS, "tuned"),
        engine.continuation_logprobs(PROMPT, CONTINUATIONS),
    )
    by_peft = plain_continuations(plain_model(checkpoint, adapter), PROMPT, CONTINUATIONS)
    by_base = plain_continuations(plain_model(checkpoint), PROMPT, CONTINUATIONS)
    assert flat(tuned) == pytest.approx(by_peft, abs=1e-3)
    assert flat(base) == pytest.approx(by_base, abs=1e-3)
    assert max(abs(a - b) for a, b in zip(by_peft, by_base, strict=True)) > 0.1


async def test_more_candidates_than_one_request_may_ask_for_are_split(engine, server, checkpoint):
    candidates = list(range(259))
    found = await engine.next_token_logprobs(PROMPT, candidates)
    last = plain_logprobs(plain_model(checkpoint), PROMPT)[-1]
    assert found == pytest.approx([float(last[c]) for c in candidates], abs=1e-3)
    assert sorted(len(request["logprob_token_ids"]) for request in server.requests) == [3, 128, 128]


async def test_nothing_asked_is_nothing_sent(engine, server):
    assert await engine.next_token_logprobs(PROMPT, []) == []
    assert await engine.continuation_logprobs(PROMPT, [[], []]) == [[], []]
    assert server.requests == []


async def test_a_continuation_of_one_token_asks_for_no_log_probs_of_the_prompt(engine, server):
    await engine.continuation_logprobs(PROMPT, [[7]])
    assert [("prompt_logprobs" in request, request["prompt"]) for request in server.requests] == [(False, PROMPT)]


async def test_generation_is_what_the_server_s_engine_generates_without_the_end_token(engine, embedded, server):
    greedy = [{"temperature": 0.0}]
    options = greedy + [{"temperature": 3.0, "seed": seed} for seed in range(12)]
    found = [await engine.generate(PROMPT, max_tokens=60, **option) for option in options]
    assert found == [await embedded.generate(PROMPT, max_tokens=60, **option) for option in options]
    assert {generation.finish_reason for generation in found} == {"stop", "length"}
    assert all(server.end_token not in generation.token_ids for generation in found)


async def test_sampling_is_reproducible_with_a_seed(engine):
    def sample(seed: int):
        return engine.generate(PROMPT, max_tokens=12, temperature=1.5, top_p=0.9, seed=seed)

    assert await sample(3) == await sample(3)
    assert await sample(3) != await sample(4)


async def test_no_default_of_the_model_s_own_generation_config_is_left_to_the_server(engine, server):
    await engine.generate(PROMPT, max_tokens=2, seed=5)
    request = server.requests[0]
    neutral = {"repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0, "min_p": 0.0, "top_k": 0}
    assert {name: request[name] for name in neutral} == neutral
    assert (request["temperature"], request["top_p"], request["seed"]) == (0.0, 1.0, 5)


async def test_a_json_schema_goes_as_structured_outputs(engine, server):
    schema = {"type": "object", "properties": {"answer": {"type": "string"}}}
    await engine.generate(PROMPT, max_tokens=2, json_schema=schema)
    assert server.requests[0]["structured_outputs"] == {"json": schema}


async def test_a_prompt_longer_than_the_context_is_refused_here(engine, server):
    with pytest.raises(PromptTooLongError, match=r"2,049 tokens; the servers' context holds 2,048"):
        await engine.next_token_logprobs([1] * 2048, [1])
    with pytest.raises(PromptTooLongError, match=r"2,049 tokens"):
        await engine.continuation_logprobs([1] * 2046, [[1, 2, 3]], "tuned")
    with pytest.raises(PromptTooLongError, match=r"2,050 tokens"):
        await engine.generate([1] * 2000, max_tokens=50)
    assert server.requests == []


async def test_a_continuation_that_just_fits_is_computed(engine):
    assert [len(row) for row in await engine.continuation_logprobs([1] * 2046, [[1, 2], [3]])] == [2, 1]


async def test_bad_requests_say_what_is_wrong_and_the_server_stays_up(engine, server):
    with pytest.raises(EngineError, match=r"'other' was not asked for.*it serves the base model, 'tuned'"):
        await engine.next_token_logprobs(PROMPT, [1], "other")
    with pytest.raises(EngineError, match="at least one token"):
        await engine.next_token_logprobs([], [1])
    with pytest.raises(EngineError, match=f"{server.url} refused the request: HTTP 400: .*the model failed"):
        await engine.next_token_logprobs([1, 10**6], [1])
    await engine.check_health()
    assert engine.stats().replicas[0].failures == 0


async def test_the_base_may_be_listed_under_another_name_where_only_one_can_be_it(server, checkpoint):
    server.models = {"/models/tiny": None, "tuned": "tuned"}
    server.parents = {"tuned": "/models/tiny"}
    engine = await RemoteEngine.open([server.url], checkpoint, TUNED, FLOAT32)
    assert len(await engine.next_token_logprobs(PROMPT, [1])) == 1
    assert server.requests[0]["model"] == "/models/tiny"
    await engine.close()


@pytest.mark.parametrize("models", [{"first": None, "second": None, "tuned": "tuned"}, {"tuned": "tuned"}])
async def test_a_base_that_is_not_clearly_one_of_the_ids_is_not_guessed(server, checkpoint, models):
    server.models, server.parents = models, {}
    with pytest.raises(InputError, match="no server of 'tiny'"):
        await RemoteEngine.open([server.url], checkpoint, TUNED, FLOAT32)


async def test_a_member_that_no_server_lists_is_named_with_the_servers_and_what_they_list(server, checkpoint):
    dead = "http://127.0.0.1:9"
    with pytest.raises(InputError) as caught:
        await RemoteEngine.open(
            [server.url + "/v1/", dead], checkpoint, ServedNames("tiny", ["tuned", "gone"]), FLOAT32
        )
    assert f"no server of 'gone' ({server.url}: lists tiny, tuned; {dead}: a failed connection" in str(caught.value)


async def test_servers_that_do_not_answer_at_all_are_an_engine_s_failure(checkpoint):
    with pytest.raises(EngineError, match=r"no remote server answers: http://127\.0\.0\.1:9: a failed connection"):
        await RemoteEngine.open(["http://127.0.0.1:9"], checkpoint, PLAIN, FLOAT32)


@pytest.mark.parametrize(
    "urls", [[], ["http://a", "http://a/v1"], ["a:8000"], ["ftp://a"], ["http://"], ["http://a?b"]]
)
async def test_addresses_that_cannot_be_used_are_refused(checkpoint, urls):
    with pytest.raises(InputError, match="remote servers: found"):
        await RemoteEngine.open(urls, checkpoint, PLAIN, FLOAT32)


async def test_a_password_in_an_address_is_refused_and_not_repeated(checkpoint):
    with pytest.raises(InputError, match="an address with a password in it") as caught:
        await RemoteEngine.open(["http://me:hush@host:1"], checkpoint, PLAIN, FLOAT32)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_the_key_goes_as_bearer_and_into_no_message(server, checkpoint, status):
    key = "sesame-1234"
    engine = await RemoteEngine.open([server.url], checkpoint, PLAIN, RemoteConfig("float32", api_key=key))
    assert server.authorizations == [f"Bearer {key}"] * 2
    server.reply = Reply(f"you sent {key}".encode(), status)
    with pytest.raises(EngineError, match=r"you sent \*\*\*"):
        await engine.next_token_logprobs(PROMPT, [1])
    assert key not in str(engine.stats())
    await engine.close()


async def test_a_key_that_cannot_be_sent_is_refused_and_not_repeated(checkpoint):
    with pytest.raises(InputError, match="a key of 9 characters") as caught:
        await RemoteEngine.open(["http://a"], checkpoint, PLAIN, RemoteConfig("float32", api_key="a b\ncdefg"))
    assert "cdefg" not in str(caught.value)


async def test_closing_twice_is_fine_and_a_closed_engine_says_so(server, checkpoint):
    engine = await RemoteEngine.open([server.url], checkpoint, PLAIN, FLOAT32)
    await engine.close()
    await engine.close()
    with pytest.raises(EngineError, match="closed"):
        await engine.next_token_logprobs(PROMPT, [1])
