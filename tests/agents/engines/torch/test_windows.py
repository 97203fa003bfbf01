"""Models with sliding windows, on tiny random ones of their architectures: the numbers of plain passes beyond them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from engine_contract import plain_continuations
from tiny_checkpoint import write_tiny_checkpoint

from agents.core.errors import EngineError
from agents.engines.torch.engine import TransformersEngine
from agents.engines.torch.windows import Windows, read_windows
from training.support.plain_model import plain_logprobs, plain_model

WINDOW = 8
SIZES = {
    "vocab_size": 259,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "initializer_range": 0.3,
    "eos_token_id": 257,
    "bos_token_id": None,
    "pad_token_id": None,
}
GEMMA = {**SIZES, "head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": WINDOW}
TYPES = ["sliding_attention", "full_attention", "sliding_attention"]


def mistral() -> Any:
    from transformers import MistralConfig, MistralForCausalLM

    return MistralForCausalLM(MistralConfig(**SIZES, sliding_window=WINDOW))


def phi3() -> Any:
    from transformers import Phi3Config, Phi3ForCausalLM

    return Phi3ForCausalLM(Phi3Config(**SIZES, sliding_window=WINDOW))


def gemma3() -> Any:
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    return Gemma3ForCausalLM(Gemma3TextConfig(**GEMMA, layer_types=TYPES))


def gemma3_with_vision() -> Any:
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = Gemma3Config(
        text_config={**GEMMA, "layer_types": TYPES},
        vision_config={**vision, "image_size": 28, "patch_size": 14},
        mm_tokens_per_image=4,
        eos_token_id=257,
    )
    return Gemma3ForConditionalGeneration(config)


def qwen2() -> Any:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    return Qwen2ForCausalLM(Qwen2Config(**SIZES, use_sliding_window=True, sliding_window=WINDOW, max_window_layers=1))


@pytest.fixture(
    scope="module", params=[mistral, phi3, gemma3, gemma3_with_vision, qwen2], ids=lambda make: make.__name__
)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    folder = write_tiny_checkpoint(tmp_path_factory.mktemp(request.param.__name__))
    torch.manual_seed(0)
    request.param().save_pretrained(folder)
    return folder


@pytest.fixture
def engine(checkpoint: Path) -> Iterator[TransformersEngine]:
    engine = TransformersEngine.load(checkpoint, dtype="float32")
    yield engine
    asyncio.run(engine.close())


def tokens(seed: int, count: int) -> list[int]:
    draw = random.Random(seed)
    return [draw.randrange(1, 250) for _ in range(count)]


@pytest.mark.parametrize("length", [WINDOW - 2, WINDOW, 5 * WINDOW, 100])
def test_beyond_the_window_the_numbers_are_those_of_a_plain_pass(
    engine: TransformersEngine, checkpoint: Path, length: int
) -> None:
    plain = plain_model(checkpoint)
    prompt = tokens(length, length)
    continuations = [tokens(1, 3), tokens(2, 2 * WINDOW), [*tokens(1, 2), 7], tokens(3, 1)]
    expected = plain_continuations(plain, prompt, continuations)
    # The second time from the cache.
    for _ in range(2):
        found = asyncio.run(engine.continuation_logprobs(prompt, continuations))
        assert list(chain.from_iterable(found)) == pytest.approx(expected, abs=1e-3)
    last = plain_logprobs(plain, prompt)[-1]
    found_next = asyncio.run(engine.next_token_logprobs(prompt, [3, 9, 200]))
    assert found_next == pytest.approx([float(last[token]) for token in (3, 9, 200)], abs=1e-3)


def test_a_generation_beyond_the_window_is_the_greedy_one(engine: TransformersEngine, checkpoint: Path) -> None:
    plain = plain_model(checkpoint)
    prompt = tokens(5, 70)
    generated = asyncio.run(engine.generate(prompt, max_tokens=2 * WINDOW)).token_ids
    assert generated
    read = list(prompt)
    for token in generated:
        row = plain_logprobs(plain, read)[-1]
        assert float(row[token]) == pytest.approx(float(row.max()), abs=1e-3)
        read.append(token)


def test_a_llama_has_no_window_whatever_else_its_configuration_says() -> None:
    from transformers import LlamaConfig

    assert read_windows(LlamaConfig(sliding_window=WINDOW)) == Windows()


def test_a_window_that_the_configuration_turns_off_is_none() -> None:
    from transformers import MistralConfig, Qwen2Config

    assert read_windows(MistralConfig(sliding_window=None)) == Windows()
    assert read_windows(Qwen2Config(use_sliding_window=False, sliding_window=WINDOW)) == Windows()


def test_layers_of_other_types_are_refused_by_name() -> None:
    from transformers import Llama4TextConfig

    config = Llama4TextConfig(num_hidden_layers=4, layer_types=["chunked_attention"] * 3 + ["full_attention"])
    with pytest.raises(EngineError, match="no layers of type chunked_attention"):
        read_windows(config)
