"""The embedded engine against plain forward passes, on a tiny model; its adapters against unmerged PEFT."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest
from engine_contract import CONTRACT, Check
from tiny_checkpoint import write_tiny_adapter, write_tiny_checkpoint

from agents.core.errors import DamagedModelError, EngineError, PromptTooLongError
from agents.engines.torch.engine import TransformersEngine
from agents.engines.torch.jobs import GenerateJob
from agents.engines.torch.worker import MAX_BATCH_TOKENS, TorchWorker
from training.support.plain_model import plain_logprobs, plain_model

PROMPT = list(range(5, 45))
CONTINUATIONS = [[1, 2, 3], [1, 2, 9, 9], [7], []]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def plain(checkpoint: Path):
    return plain_model(checkpoint)


@pytest.fixture
def engine(checkpoint: Path):
    engine = TransformersEngine.load(checkpoint, dtype="float32")
    yield engine
    asyncio.run(engine.close())


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
def test_contract(check: Check, engine: TransformersEngine, plain) -> None:
    asyncio.run(check(engine, plain))


def expected_continuations(model, prompt, continuations):
    table = []
    for continuation in continuations:
        rows = plain_logprobs(model, [*prompt, *continuation])
        table.append([float(rows[len(prompt) - 1 + i, token]) for i, token in enumerate(continuation)])
    return table


def flat(rows):
    return [value for row in rows for value in row]


def test_continuations_match_a_plain_forward_pass_token_for_token(engine, plain):
    found = asyncio.run(engine.continuation_logprobs(PROMPT, CONTINUATIONS))
    assert [len(row) for row in found] == [3, 4, 1, 0]
    assert flat(found) == pytest.approx(flat(expected_continuations(plain, PROMPT, CONTINUATIONS)), abs=1e-4)


def test_next_token_logprobs_match_and_keep_the_order_of_the_candidates(engine, plain):
    candidates = [9, 3, 250]
    found = asyncio.run(engine.next_token_logprobs(PROMPT, candidates))
    last = plain_logprobs(plain, PROMPT)[-1]
    assert found == pytest.approx([float(last[c]) for c in candidates], abs=1e-4)


def test_a_question_asked_again_gives_the_same_numbers_from_the_cache(engine):
    async def ask_twice():
        first = await engine.continuation_logprobs(PROMPT, CONTINUATIONS)
        return first, await engine.continuation_logprobs(PROMPT, CONTINUATIONS)

    first, second = asyncio.run(ask_twice())
    assert flat(second) == pytest.approx(flat(first), abs=1e-5)
    assert engine.counters.reused_tokens >= len(PROMPT) - 1


def test_a_batch_gives_what_its_rows_give_alone(engine, plain):
    prompts = [PROMPT, [*PROMPT[:20], 99, 98], [3, 4], PROMPT[:30]]

    async def together():
        return await asyncio.gather(*(engine.continuation_logprobs(p, CONTINUATIONS) for p in prompts))

    for prompt, found in zip(prompts, asyncio.run(together()), strict=True):
        assert flat(found) == pytest.approx(flat(expected_continuations(plain, prompt, CONTINUATIONS)), abs=1e-4)


def test_a_prefix_is_computed_once_for_all_continuations(engine):
    asyncio.run(engine.continuation_logprobs(PROMPT, [[1, 2], [3, 4], [5, 6], [7, 8]]))
    # 40 of the prompt and the first token of each continuation: its last one is only looked up.
    assert engine.counters.computed_tokens == len(PROMPT) + 4
    assert engine.counters.requested_tokens == 4 * (len(PROMPT) + 1)


def test_a_prompt_longer_than_a_batch_is_read_in_pieces(engine, plain):
    prompt = [i % 250 for i in range(600)]
    found = asyncio.run(engine.next_token_logprobs(prompt, [1, 2]))
    assert engine.counters.batches > 1
    last = plain_logprobs(plain, prompt)[-1]
    assert found == pytest.approx([float(last[1]), float(last[2])], abs=1e-4)


def test_a_continuation_longer_than_a_batch_is_read_in_pieces(engine, plain):
    long = [i * 7 % 250 for i in range(1900)]
    found = asyncio.run(engine.continuation_logprobs(PROMPT, [long, [3, 4]]))
    assert engine.counters.batches > 2
    assert 0 < engine.counters.largest_batch <= MAX_BATCH_TOKENS
    assert flat(found) == pytest.approx(flat(expected_continuations(plain, PROMPT, [long, [3, 4]])), abs=1e-3)


def test_short_rows_go_before_the_rest_of_a_long_one(plain):
    model = HeldModel(plain)
    worker = TorchWorker({None: model}, cache_tokens=64)
    long = [i % 250 for i in range(1500)]
    first = worker.score(None, [(long, 20, [[token] for token in long[20:]])])
    assert model.entered.wait(timeout=30)
    ended = []
    first.add_done_callback(lambda future: ended.append("long"))
    for number in range(4):
        short = worker.score(None, [([number, 2, 3], 2, [[1]])])
        short.add_done_callback(lambda future: ended.append("short"))
    model.release.set()
    assert len(first.result(timeout=60)[0]) == len(long) - 20
    assert ended == ["short"] * 4 + ["long"]
    worker.close()


def test_a_small_cache_forgets_and_stays_right(checkpoint, plain):
    engine = TransformersEngine(*loaded_models(checkpoint), cache_tokens=8)
    try:
        for prompt in (PROMPT, PROMPT[::-1], PROMPT):
            found = asyncio.run(engine.continuation_logprobs(prompt, CONTINUATIONS))
            assert flat(found) == pytest.approx(flat(expected_continuations(plain, prompt, CONTINUATIONS)), abs=1e-4)
    finally:
        asyncio.run(engine.close())


def loaded_models(checkpoint: Path):
    from agents.engines.tokenizer import ChatTokenizer

    return {None: plain_model(checkpoint)}, ChatTokenizer(checkpoint)


@pytest.mark.parametrize("options", [{}, {"use_rslora": True}, {"use_dora": True}], ids=["lora", "rslora", "dora"])
def test_an_adapter_gives_the_numbers_of_unmerged_peft_and_leaves_the_base_alone(options, checkpoint, plain, tmp_path):
    adapter = write_tiny_adapter(tmp_path / "adapter", checkpoint, **options)
    engine = TransformersEngine.load(checkpoint, {"tuned": adapter}, dtype="float32")

    async def ask():
        return await asyncio.gather(
            engine.continuation_logprobs(PROMPT, CONTINUATIONS, "tuned"),
            engine.continuation_logprobs(PROMPT, CONTINUATIONS),
        )

    try:
        tuned, base = asyncio.run(ask())
    finally:
        asyncio.run(engine.close())
    by_peft = expected_continuations(plain_model(checkpoint, adapter), PROMPT, CONTINUATIONS)
    by_base = expected_continuations(plain, PROMPT, CONTINUATIONS)
    assert flat(tuned) == pytest.approx(flat(by_peft), abs=1e-3)
    assert flat(base) == pytest.approx(flat(by_base), abs=1e-3)
    assert max(abs(a - b) for a, b in zip(flat(by_peft), flat(by_base), strict=True)) > 0.1


def test_generation_is_greedy_as_transformers_is_and_reproducible_with_a_seed(engine, plain):
    import torch

    greedy = asyncio.run(engine.generate(PROMPT, max_tokens=12))
    reference = plain.generate(torch.tensor([PROMPT]), max_new_tokens=12, do_sample=False)[0, len(PROMPT) :].tolist()
    stop = plain.generation_config.eos_token_id
    assert list(greedy.token_ids) == [token for token in reference if token != stop]

    async def sample(seed):
        return await engine.generate(PROMPT, max_tokens=12, temperature=1.5, top_p=0.9, seed=seed)

    assert asyncio.run(sample(3)) == asyncio.run(sample(3))
    assert asyncio.run(sample(3)) != asyncio.run(sample(4))


def test_under_a_schema_each_token_is_the_likeliest_of_those_that_fit(engine, plain):
    generation = asyncio.run(engine.generate(PROMPT, max_tokens=20, json_schema={"enum": ["xq", "yq", "zz"]}))
    opened = [*PROMPT, *engine.tokenizer.encode_text('"')]
    after_quote = plain_logprobs(plain, opened)[-1]
    likeliest = max("xyz", key=lambda text: float(after_quote[engine.tokenizer.encode_text(text)[0]]))
    assert engine.tokenizer.decode(generation.token_ids) == {"x": '"xq"', "y": '"yq"', "z": '"zz"'}[likeliest]
    assert generation.finish_reason == "stop"


def test_control_tokens_are_never_part_of_what_a_schema_allows(engine):
    schema = {"type": "string", "minLength": 60, "maxLength": 90}
    generation = asyncio.run(engine.generate(PROMPT, max_tokens=500, temperature=5.0, seed=2, json_schema=schema))
    special = {engine.tokenizer.encode_markup(text)[0] for text in ("<|start|>", "<|end|>")}
    assert generation.finish_reason == "stop"
    assert not special & set(generation.token_ids)


def test_a_cancelled_generation_under_a_schema_is_not_computed_further(plain, checkpoint):
    from agents.engines.tokenizer import ChatTokenizer

    model = HeldModel(plain)
    engine = TransformersEngine({None: model}, ChatTokenizer(checkpoint))

    async def story():
        schema = {"type": "string", "minLength": 500}
        writing = asyncio.create_task(engine.generate(PROMPT, max_tokens=900, json_schema=schema))
        assert await asyncio.to_thread(model.entered.wait, 30)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        model.release.set()
        await engine.next_token_logprobs(PROMPT, [1])
        await engine.close()

    asyncio.run(story())
    assert model.calls == 2


class MeasuredModel:
    """A model that keeps how many tokens each of its passes computed."""

    def __init__(self, model) -> None:
        self._model = model
        self.passes: list[int] = []

    def __getattr__(self, name):
        return getattr(self._model, name)

    def __call__(self, **inputs):
        self.passes.append(inputs["input_ids"].shape[1])
        return self._model(**inputs)


def test_a_generation_is_computed_in_the_same_pieces_however_fast_the_machine_was_measured(plain):
    passes = []
    for budget in (64, 1024):
        model = MeasuredModel(plain)
        worker = TorchWorker({None: model}, cache_tokens=64)
        worker.batch_tokens = budget
        job = GenerateJob(None, Future(), [i % 250 for i in range(300)], 3, 0.0, 1.0, None, frozenset())
        worker.generate(job).result(timeout=30)
        worker.close()
        passes.append(model.passes)
    assert passes[0] == passes[1] == [64, 64, 64, 64, 44, 1, 1]


class HeldModel:
    """A model that waits before its first batch until it is let go, and counts its batches."""

    def __init__(self, model) -> None:
        self._model = model
        self.entered, self.release = threading.Event(), threading.Event()
        self.calls = 0

    def __getattr__(self, name):
        return getattr(self._model, name)

    def __call__(self, **inputs):
        self.calls += 1
        self.entered.set()
        assert self.release.wait(timeout=30)
        return self._model(**inputs)


def test_cancelled_work_is_not_computed(plain):
    model = HeldModel(plain)
    worker = TorchWorker({None: model}, cache_tokens=64)
    long_row = ([i % 250 for i in range(500)], 499, [[1]])
    running = worker.score(None, [long_row])
    assert model.entered.wait(timeout=30)
    waiting = worker.score(None, [([1, 2, 3], 2, [[1]])])
    assert running.cancel()
    assert waiting.cancel()
    after = worker.score(None, [([4, 5, 6], 2, [[1]])])
    model.release.set()
    assert after.result(timeout=30)
    worker.close()
    # The piece that ran when the work was cancelled, and the row asked for afterwards: nothing of the rest.
    assert model.calls == 2


def test_rows_go_before_a_generation_that_has_begun(engine):
    async def both():
        writing = asyncio.create_task(engine.generate(PROMPT, max_tokens=400, temperature=1.0, seed=1))
        await engine.next_token_logprobs(PROMPT, [1])
        finished_early = writing.done()
        writing.cancel()
        return finished_early

    assert asyncio.run(both()) is False


def test_what_still_waits_when_the_engine_closes_ends_with_an_error(plain):
    model = HeldModel(plain)
    worker = TorchWorker({None: model}, cache_tokens=64)
    worker.score(None, [([1, 2], 1, [[1]])])
    assert model.entered.wait(timeout=30)
    waiting = worker.score(None, [([3, 4], 1, [[1]])])
    closing = threading.Thread(target=worker.close)
    closing.start()
    while worker.alive:
        threading.Event().wait(0.001)
    model.release.set()
    closing.join()
    with pytest.raises(EngineError, match="closed"):
        waiting.result(timeout=30)
    with pytest.raises(EngineError, match="closed"):
        worker.score(None, [([1, 2], 1, [[1]])])


def test_bad_requests_say_what_is_wrong(engine):
    with pytest.raises(EngineError, match="adapter 'other' is not loaded"):
        asyncio.run(engine.next_token_logprobs(PROMPT, [1], "other"))
    with pytest.raises(EngineError, match="at least one token"):
        asyncio.run(engine.next_token_logprobs([], [1]))
    with pytest.raises(PromptTooLongError, match=r"2,049 tokens; the model's context holds 2,048"):
        asyncio.run(engine.next_token_logprobs([1] * 2049, [1]))
    with pytest.raises(EngineError, match="the model failed"):
        asyncio.run(engine.next_token_logprobs([1, 10**6], [1]))
    assert asyncio.run(engine.next_token_logprobs(PROMPT, [1]))


@pytest.mark.parametrize("damage", ["truncated", "missing", "not a model"])
def test_a_damaged_checkpoint_is_one_sentence(tmp_path, damage):
    folder = write_tiny_checkpoint(tmp_path / "damaged")
    weights = folder / "model.safetensors"
    if damage == "truncated":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif damage == "missing":
        weights.unlink()
    else:
        (folder / "config.json").write_text("{}")
    with pytest.raises(DamagedModelError, match="does not load") as caught:
        TransformersEngine.load(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_adapter_without_safetensors_or_of_another_base_is_refused(tmp_path, checkpoint):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DamagedModelError, match=r"adapter_config\.json: found no such file"):
        TransformersEngine.load(checkpoint, {"empty": empty})
    wider = write_tiny_checkpoint(tmp_path / "wider", hidden_size=64)
    foreign = write_tiny_adapter(tmp_path / "foreign", wider)
    with pytest.raises(DamagedModelError, match="an adapter that does not load") as caught:
        TransformersEngine.load(checkpoint, {"foreign": foreign})
    assert str(foreign) in str(caught.value)
