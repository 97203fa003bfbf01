"""The embedded engine: a checkpoint through transformers, in this process. The default on a machine without a GPU."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from agents.core.errors import DamagedModelError, EngineError, first_line
from agents.engines.adapter_config import ADAPTER_WEIGHTS, require_quick_patterns
from agents.engines.adapter_factors import add_factors, read_factors, require_finite
from agents.engines.protocol import Generation
from agents.engines.request_checks import check_adapter, check_prompt
from agents.engines.tokenizer import ChatTokenizer
from agents.engines.torch.jobs import GenerateJob
from agents.engines.torch.precision import has_bfloat16_units, on_cpu
from agents.engines.torch.structured import SchemaCompiler
from agents.engines.torch.windows import read_windows
from agents.engines.torch.worker import TorchWorker, WorkerCounters
from agents.models.checkpoint import require_no_code
from agents.support.missing_package import missing_package

CACHE_TOKENS = 8192
"""Tokens of prefixes kept for reuse, per adapter: 380 MB for SmolLM2-135M in float32, 470 MB for Qwen2.5-1.5B."""

# Read when PyTorch loads OpenMP; PyTorch is first imported further down. By default its threads spin for long while
# they wait for each other: with a second busy process on two cores a batch of 0.2 s took 6 s that way, and answers came
# late. Not to spin at all costs a third on a quiet machine. This is between the two.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")


class TransformersEngine:
    """Implements ``protocol.Engine``. Open it with ``load``; all computation happens on its worker thread."""

    def __init__(
        self, models: Mapping[str | None, Any], tokenizer: ChatTokenizer, *, cache_tokens: int = CACHE_TOKENS
    ) -> None:
        bare = models[None]
        config = bare.config.get_text_config()
        self._tokenizer = tokenizer
        self._dtype = str(bare.dtype).removeprefix("torch.")
        self._max_tokens = int(config.max_position_embeddings)
        eos = bare.generation_config.eos_token_id
        self._stop_ids = frozenset(eos if isinstance(eos, list) else [] if eos is None else [eos])
        self._adapters = frozenset(models)
        self._schemas = SchemaCompiler(tokenizer.hf, int(config.vocab_size), self._stop_ids)
        self._worker = TorchWorker(dict(models), cache_tokens=cache_tokens, windows=read_windows(config))

    @classmethod
    def load(
        cls,
        checkpoint: Path,
        adapters: Mapping[str, Path] | None = None,
        *,
        dtype: str | None = None,
        threads: int | None = None,
        cpu_dtype: str | None = None,
    ) -> TransformersEngine:
        """Opens a checkpoint folder and merges each adapter into a copy of it.

        ``dtype`` None is bfloat16 on a GPU and on a CPU that computes in it, float32 on any other CPU.
        ``threads`` defaults to what PyTorch chooses. ``cpu_dtype`` float32 keeps bfloat16 to GPUs.
        Weights load from safetensors only and no code of the checkpoint is run.
        Raises MissingExtraError without PyTorch, DamagedModelError when files do not load or do not fit each other.
        """
        try:
            import torch
            import transformers  # noqa: F401 - load_model needs it
        except ImportError as error:
            raise missing_package(error.name) from None
        if threads is not None:
            torch.set_num_threads(threads)
        device = torch.device("cpu" if on_cpu() else "cuda")
        fast = device.type != "cpu" or (has_bfloat16_units() and cpu_dtype != "float32")
        chosen = getattr(torch, dtype or ("bfloat16" if fast else "float32"))
        models: dict[str | None, Any] = {None: load_model(checkpoint, chosen).to(device).eval()}
        for name, path in (adapters or {}).items():
            copy = load_model(checkpoint, chosen, known_finite=True)
            models[name] = merge_adapter(copy, path).to(device).eval()
        return cls(models, ChatTokenizer(checkpoint))

    @property
    def tokenizer(self) -> ChatTokenizer:
        return self._tokenizer

    @property
    def dtype(self) -> str:
        return self._dtype

    @property
    def max_tokens(self) -> int:
        return self._max_tokens

    @property
    def counters(self) -> WorkerCounters:
        return self._worker.counters

    async def next_token_logprobs(
        self, prompt: Sequence[int], candidates: Sequence[int], adapter: str | None = None
    ) -> list[float]:
        self._check(prompt, 0, adapter)
        rows = [(list(prompt), len(prompt) - 1, [list(candidates)])]
        return list((await _result(self._worker.score(adapter, rows)))[0][0])

    async def continuation_logprobs(
        self, prompt: Sequence[int], continuations: Sequence[Sequence[int]], adapter: str | None = None
    ) -> list[list[float]]:
        self._check(prompt, max(map(len, continuations), default=0), adapter)
        rows = [
            ([*prompt, *continuation[:-1]], len(prompt) - 1, [[token] for token in continuation])
            for continuation in continuations
            if continuation
        ]
        scored = iter(await _result(self._worker.score(adapter, rows)) if rows else [])
        return [[values[0] for values in next(scored)] if continuation else [] for continuation in continuations]

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
        self._check(prompt, max_tokens, adapter)
        constraint = None if json_schema is None else await asyncio.to_thread(self._schemas.compile, json_schema)
        job = GenerateJob(
            adapter, Future(), list(prompt), max_tokens, temperature, top_p, seed, self._stop_ids, constraint
        )
        generation: Generation = await _result(self._worker.generate(job))
        return generation

    async def check_health(self) -> None:
        if not self._worker.alive:
            raise EngineError("the engine is closed")

    async def close(self) -> None:
        await asyncio.to_thread(self._worker.close)

    def _check(self, prompt: Sequence[int], extra: int, adapter: str | None) -> None:
        check_adapter(adapter, self._adapters)
        check_prompt(prompt, extra, self._max_tokens)


async def _result(future: Future[Any]) -> Any:
    """Waits without blocking the loop; cancelling the wait cancels the future, and so the work."""
    return await asyncio.wrap_future(future)


def load_model(checkpoint: Path, dtype: Any, *, known_finite: bool = False) -> Any:
    """The checkpoint's causal model, from safetensors only. Raises DamagedModelError when it does not load.

    Refused by name: tensors that are missing, a model that needs code of its own, and NaN, unless it was looked for
    before (``known_finite``). Raises EngineError for layers that the token tree has no mask for.
    """
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    try:
        model, info = AutoModelForCausalLM.from_pretrained(
            checkpoint,
            dtype=dtype,
            attn_implementation="sdpa",
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except Exception as error:
        require_no_code(checkpoint)
        raise DamagedModelError(
            str(checkpoint), f"a checkpoint that does not load ({first_line(error)})", "config.json and *.safetensors"
        ) from None
    if missing := sorted(info["missing_keys"]):
        # transformers leaves them at random numbers, with a warning.
        found = f"{len(missing)} tensors fewer than its config.json asks for, {missing[0]} among them"
        raise DamagedModelError(str(checkpoint), found, "whole weights")
    if not known_finite:
        require_finite(model.named_parameters(), checkpoint)
    try:
        read_windows(model.config.get_text_config())
    except EngineError as error:
        raise EngineError(f"{checkpoint}: {error}") from None
    return model


def merge_adapter(model: Any, path: Path) -> Any:
    """``model`` with the adapter in the folder ``path`` merged. Raises DamagedModelError when it does not load."""
    factors = read_factors(path)
    if factors is not None and add_factors(model, factors):
        return model
    try:
        from peft import PeftModel
    except ImportError as error:
        raise missing_package(error.name) from None
    if not (path / ADAPTER_WEIGHTS).is_file():
        raise DamagedModelError(str(path), f"no {ADAPTER_WEIGHTS}", "an adapter saved as safetensors")
    require_quick_patterns(path, (name for name, _ in model.named_modules()))
    try:
        model = PeftModel.from_pretrained(model, str(path), local_files_only=True).merge_and_unload()
    except Exception as error:
        raise DamagedModelError(
            str(path), f"an adapter that does not load ({first_line(error)})", "an adapter made for this base model"
        ) from None
    require_finite(model.named_parameters(), path / ADAPTER_WEIGHTS)
    return model
