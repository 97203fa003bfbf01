"""The production engine: vLLM's AsyncLLM, started by this process. The same code serves CUDA, ROCm and CPU builds.

Scores come from vLLM's raw log-probs, before any temperature. Letters: one token is sampled and thrown away, and
``logprob_token_ids`` returns exactly the labels. Cloze: each continuation is a request of its own, with its last token
as a label and those before it as a part of the prompt, whose ``prompt_logprobs`` are read. Asking for one token at a
time with the prefix cache instead took 2.5 times as long (SmolLM2-135M on two cores, 16 questions of 4 choices of 4
tokens).

On a CPU back end a request without an adapter that is batched with requests with one is computed with that adapter,
without an error. So there an engine with adapters refuses requests without. Nor can it give the log-probs of a prompt
under an adapter: then every token of a continuation is a request.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.engines.protocol import Generation
from agents.engines.requests import check_adapter, check_prompt, score_in_parts, together
from agents.engines.tokenizer import ChatTokenizer
from agents.engines.vllm_limits import MAX_CANDIDATES, RANKS
from agents.engines.vllm_options import VllmOptions
from agents.errors import DamagedModelError, EngineError, MissingExtraError, first_line
from agents.models.checkpoint import read_json_object


@dataclass
class Counters:
    """What vLLM's scheduler last said of itself."""

    running: int = 0
    waiting: int = 0


class VllmEngine:
    """Implements ``protocol.Engine``. Belongs to the event loop that first uses it."""

    def __init__(
        self, engine: Any, tokenizer: ChatTokenizer, adapters: Mapping[str, Any], *, counters: Counters, on_cpu: bool
    ) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        self._adapters = dict(adapters)
        self.on_cpu = on_cpu
        self._ids = itertools.count()
        self._stop_ids = _stop_ids(engine, tokenizer)
        self._dtype = str(engine.model_config.dtype).removeprefix("torch.")
        self._max_tokens = int(engine.model_config.max_model_len)
        self._closed = False
        self.counters = counters

    @classmethod
    def load(
        cls,
        checkpoint: Path,
        adapters: Mapping[str, Path] | None = None,
        *,
        dtype: str | None = None,
        options: VllmOptions | None = None,
        memory_share: float | None = None,
    ) -> VllmEngine:
        """Starts an engine and waits until it is ready, at most ``options.ready_timeout_seconds``.

        ``dtype`` is float32 or bfloat16; by default bfloat16 on a GPU and float32 on a CPU. ``memory_share`` is this
        engine's part of each GPU's memory. Raises MissingExtraError, DamagedModelError for weights that do not load,
        and EngineError when there is no device or the engine does not become ready.
        """
        options = options or VllmOptions()
        tokenizer = ChatTokenizer(checkpoint)
        prepare_environment(options)
        on_cpu = device_type() == "cpu"
        if on_cpu:
            _require_compiler()
        counters = Counters()
        arguments = engine_arguments(
            checkpoint, adapters or {}, dtype=dtype, options=options, memory_share=memory_share, on_cpu=on_cpu
        )
        try:
            from vllm import AsyncEngineArgs
            from vllm.lora.request import LoRARequest
            from vllm.v1.engine.async_llm import AsyncLLM

            engine = AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments), stat_loggers=[_stat_logger(counters)])
        except Exception as error:
            # Everything vLLM raises here is about the weights, the device or the options; its own log has the details.
            raise EngineError(f"vLLM did not start on {checkpoint}: {first_line(error, limit=300)}") from None
        requests = {
            name: LoRARequest(name, number, str(path))
            for number, (name, path) in enumerate((adapters or {}).items(), start=1)
        }
        return cls(engine, tokenizer, requests, counters=counters, on_cpu=on_cpu)

    @property
    def tokenizer(self) -> ChatTokenizer:
        return self._tokenizer

    @property
    def dtype(self) -> str:
        return self._dtype

    @property
    def max_tokens(self) -> int:
        return self._max_tokens

    async def next_token_logprobs(
        self, prompt: Sequence[int], candidates: Sequence[int], adapter: str | None = None
    ) -> list[float]:
        return await score_in_parts(
            candidates, MAX_CANDIDATES, lambda part: self._score(prompt, len(prompt), part, adapter)
        )

    async def continuation_logprobs(
        self, prompt: Sequence[int], continuations: Sequence[Sequence[int]], adapter: str | None = None
    ) -> list[list[float]]:
        async def score(continuation: Sequence[int]) -> list[float]:
            if not continuation:
                return []
            if adapter is None or not self.on_cpu:
                return await self._score([*prompt, *continuation[:-1]], len(prompt), continuation[-1:], adapter)
            # vLLM's CPU back end dies when it is asked for the log-probs of a prompt under an adapter.
            parts = await together(
                self._score([*prompt, *continuation[:i]], len(prompt) + i, [token], adapter)
                for i, token in enumerate(continuation)
            )
            return [value for part in parts for value in part]

        return await together(score(continuation) for continuation in continuations)

    async def _score(
        self, tokens: Sequence[int], start: int, candidates: Sequence[int], adapter: str | None
    ) -> list[float]:
        """Log-probs of ``tokens[start:]``, then of each candidate after all of ``tokens``."""
        inside = tokens[start:]
        output = await self._run(
            tokens,
            adapter,
            max_tokens=1,
            logprob_token_ids=list(candidates),
            prompt_logprobs=0 if inside else None,
        )
        rows = output.prompt_logprobs[start:] if inside else []
        scores = [float(row[token].logprob) for row, token in zip(rows, inside, strict=True)]
        after = output.outputs[0].logprobs[0]
        return scores + [float(after[candidate].logprob) for candidate in candidates]

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
        from vllm.sampling_params import StructuredOutputsParams

        output = await self._run(
            prompt,
            adapter,
            max_tokens=max_tokens,
            temperature=temperature,
            top_p=top_p,
            seed=seed,
            stop_token_ids=sorted(self._stop_ids),
            structured_outputs=None if json_schema is None else StructuredOutputsParams(json=json.dumps(json_schema)),
        )
        chosen = output.outputs[0]
        token_ids = tuple(chosen.token_ids)
        if token_ids and token_ids[-1] in self._stop_ids:
            token_ids = token_ids[:-1]
        return Generation(token_ids, "length" if chosen.finish_reason == "length" else "stop")

    async def check_health(self) -> None:
        if self._closed:
            raise EngineError("the engine is closed")
        try:
            await self._engine.check_health()
        except Exception as error:
            raise EngineError(f"the vLLM engine has stopped: {first_line(error, limit=300)}") from None

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            # Let go of, or it would shut itself down once more when the interpreter has already taken itself apart.
            engine, self._engine = self._engine, None
            await asyncio.to_thread(engine.shutdown)

    async def _run(self, prompt: Sequence[int], adapter: str | None, *, max_tokens: int, **options: Any) -> Any:
        """vLLM's last output for a request; cancelling aborts the request inside the engine."""
        from vllm import SamplingParams
        from vllm.v1.engine.exceptions import EngineDeadError

        self._check(prompt, max_tokens, adapter)
        parameters = SamplingParams(max_tokens=max_tokens, detokenize=False, **({"temperature": 0.0} | options))
        stream = self._engine.generate(
            {"prompt_token_ids": list(prompt)},
            parameters,
            f"aiac-{next(self._ids)}",
            lora_request=None if adapter is None else self._adapters[adapter],
        )
        final = None
        try:
            async for output in stream:
                final = output
        except EngineDeadError:
            raise EngineError("the vLLM engine has stopped") from None
        except Exception as error:
            raise EngineError(f"the vLLM engine failed: {first_line(error, limit=300)}") from None
        if final is None:
            raise EngineError("the vLLM engine ended a request without an output")
        return final

    def _check(self, prompt: Sequence[int], extra: int, adapter: str | None) -> None:
        if self._closed:
            raise EngineError("the engine is closed")
        check_adapter(adapter, [None, *self._adapters])
        if adapter is None and self._adapters and self.on_cpu:
            raise EngineError("on a CPU, vLLM computes the bare model wrongly beside adapters; it needs its own engine")
        check_prompt(prompt, extra, self.max_tokens)


def prepare_environment(options: VllmOptions) -> None:
    """Sets what vLLM reads from the environment only, before it is imported; the user's own values stay."""
    defaults = {
        "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_ENGINE_READY_TIMEOUT_S": str(options.ready_timeout_seconds),
        "VLLM_CPU_KVCACHE_SPACE": str(options.cpu_cache_gib),
        # Idle threads of one engine must not spin on the cores that another one needs.
        "GOMP_SPINCOUNT": "1000",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def device_type() -> str:
    """What vLLM was built for and finds: cuda, rocm, cpu, …

    Raises MissingExtraError without vLLM, and EngineError that names the build of torch when it finds no device.
    """
    try:
        import torch
        from vllm.platforms import current_platform
    except ImportError as error:
        raise MissingExtraError(
            f"the vllm engine needs {error.name or 'vllm'}, which is not installed; "
            'run: docker/install.sh cpu, or on a GPU: pip install "aiac[vllm]"'
        ) from None
    build = f"torch {torch.__version__}"
    if current_platform.is_cpu():
        return "cpu"
    if current_platform.is_unspecified():
        raise EngineError(f"vLLM found no device it can use with {build}; needed: a GPU and the build of torch for it")
    if current_platform.is_cuda_alike() and not torch.cuda.is_available():
        raise EngineError(f"no GPU that {build} can use was found; needed: one, or the CPU build of vLLM (vllm-cpu)")
    return str(current_platform.device_name)


def _require_compiler() -> None:
    """On a CPU vLLM compiles at the first request for log-probs, and dies there without a compiler."""
    compiler = os.environ.get("CXX") or "g++"
    if shutil.which(compiler) is None:
        raise EngineError(f"vLLM needs a C++ compiler on a CPU; found no {compiler}; expected g++, or one named by CXX")


def engine_arguments(
    checkpoint: Path,
    adapters: Mapping[str, Path],
    *,
    dtype: str | None,
    options: VllmOptions,
    memory_share: float | None,
    on_cpu: bool,
) -> dict[str, Any]:
    """The fields of vLLM's AsyncEngineArgs. Raises DamagedModelError for a config.json or adapter that is not one."""
    config = read_json_object(checkpoint / "config.json")
    limit = config.get("max_position_embeddings")
    arguments: dict[str, Any] = {
        "model": str(checkpoint),
        "dtype": dtype or ("float32" if on_cpu else "bfloat16"),
        "load_format": "safetensors",
        "trust_remote_code": False,
        # The checkpoint's own sampling defaults must not reach a score.
        "generation_config": "vllm",
        "max_model_len": min(options.max_model_len, limit) if isinstance(limit, int) else options.max_model_len,
        "max_num_seqs": options.max_num_seqs,
        "max_logprobs": MAX_CANDIDATES,
        "enable_prefix_caching": True,
        "enforce_eager": options.enforce_eager or on_cpu,
        "tensor_parallel_size": options.tensor_parallel_size,
        "pipeline_parallel_size": options.pipeline_parallel_size,
        "data_parallel_size": options.data_parallel_size,
        "use_tqdm_on_load": False,
        "seed": 0,
    }
    if options.distributed_executor_backend is not None:
        arguments["distributed_executor_backend"] = options.distributed_executor_backend
    if not on_cpu:
        arguments["gpu_memory_utilization"] = memory_share or options.gpu_memory_utilization
    if adapters:
        arguments |= {"enable_lora": True, "max_loras": len(adapters), "max_lora_rank": _served_rank(adapters)}
    return arguments


def _served_rank(adapters: Mapping[str, Path]) -> int:
    """The least rank vLLM takes that holds every adapter's."""
    ranks = {}
    for name, path in adapters.items():
        config = read_json_object(path / "adapter_config.json")
        if config.get("use_dora"):
            raise EngineError(f"adapter {name} is a DoRA adapter, which vLLM does not serve; merge it first")
        rank = config.get("r")
        if not isinstance(rank, int) or not 1 <= rank <= RANKS[-1]:
            raise DamagedModelError(f"{path / 'adapter_config.json'}: r", repr(rank), f"a rank from 1 to {RANKS[-1]}")
        ranks[name] = rank
    return next(rank for rank in RANKS if rank >= max(ranks.values()))


def _stop_ids(engine: Any, tokenizer: ChatTokenizer) -> frozenset[int]:
    """The tokens that end a turn: those of the checkpoint's generation config, and the tokenizer's own."""
    found = engine.model_config.try_get_generation_config().get("eos_token_id", [])
    ids = [found] if isinstance(found, int) else list(found)
    end = tokenizer.hf.eos_token_id
    return frozenset([*ids, *([] if end is None else [int(end)])])


def _stat_logger(counters: Counters) -> Any:
    """A factory of vLLM stat loggers that keep ``counters`` up to date."""
    from vllm.v1.metrics.loggers import StatLoggerBase

    class CountingLogger(StatLoggerBase):  # type: ignore[misc]
        def __init__(self, vllm_config: Any, engine_index: int = 0) -> None:
            pass

        def record(self, scheduler_stats: Any, iteration_stats: Any, *args: Any, **kwargs: Any) -> None:
            if scheduler_stats is not None:
                counters.running = scheduler_stats.num_running_reqs
                counters.waiting = scheduler_stats.num_waiting_reqs

        def log_engine_initialized(self) -> None:
            pass

    return CountingLogger
