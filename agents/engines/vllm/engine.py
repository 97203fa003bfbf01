"""The production engine: vLLM's AsyncLLM, started by this process. The same code serves CUDA, ROCm and CPU builds.

Scores come from vLLM's raw log-probs, before any temperature. Letters: one token is sampled and thrown away, and the
log-probs of the labels are kept (``token_scores``). Cloze: each continuation is a request of its own, with its last
token as a label and those before it as a part of the prompt, whose ``prompt_logprobs`` are read. What continuations
share is computed once, by the prefix cache. Asking for one token at a time instead took 2.5 times as long without that
(SmolLM2-135M on two cores, 16 questions of 4 choices of 4 tokens).

On a CPU back end a request without an adapter that is batched with requests with one is computed with that adapter,
without an error. So there an engine with adapters refuses requests without. Nor can it give the log-probs of a prompt
under an adapter: then every token of a continuation is a request.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from agents.core.errors import EngineError, first_line
from agents.engines.protocol import Generation
from agents.engines.request_checks import check_adapter, check_prompt
from agents.engines.tokenizer import ChatTokenizer
from agents.engines.vllm.arguments import EngineMemory, engine_arguments
from agents.engines.vllm.device import device_type, prepare_environment, require_compiler, threads_are_pinned
from agents.engines.vllm.limits import LEAST_VERSION, score_in_chunks
from agents.engines.vllm.options import VllmOptions
from agents.engines.vllm.start import SHUTDOWN_SECONDS, engines_give_way, ready_within
from agents.engines.vllm.token_scores import TokenScores
from agents.support.concurrency import run_together

STALL_SECONDS = 120.0
"""How long vLLM may compute no step while requests are open. Kernels that are compiled at their first use take up to a
minute; a kernel that hangs never ends, and vLLM's own health check does not see it."""


@dataclass
class SchedulerCounters:
    """What vLLM's scheduler last said of itself, and how often: once a step."""

    running: int = 0
    waiting: int = 0
    steps: int = 0


class VllmEngine:
    """Implements ``protocol.Engine``. Belongs to the event loop that first uses it."""

    def __init__(
        self,
        engine: Any,
        tokenizer: ChatTokenizer,
        checkpoint: Path,
        adapters: Mapping[str, Path],
        *,
        counters: SchedulerCounters,
        on_cpu: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        import vllm
        from vllm.lora.request import LoRARequest

        self.checkpoint = checkpoint
        self.adapters = dict(adapters)
        self._engine = engine
        self._tokenizer = tokenizer
        self._lora_requests = {
            name: LoRARequest(name, number, str(path)) for number, (name, path) in enumerate(adapters.items(), start=1)
        }
        self.on_cpu = on_cpu
        self._scores = TokenScores(self._run, signature(vllm.SamplingParams).parameters)
        self._ids = itertools.count()
        self._stop_ids = _stop_ids(engine, tokenizer)
        self._dtype = str(engine.model_config.dtype).removeprefix("torch.")
        self._max_tokens = int(engine.model_config.max_model_len)
        self._closed = False
        self.counters = counters
        self._clock = clock
        self._open_requests = 0
        self._steps_seen, self._seen_at = counters.steps, clock()

    @classmethod
    def load(
        cls,
        checkpoint: Path,
        adapters: Mapping[str, Path] | None = None,
        *,
        dtype: str | None = None,
        options: VllmOptions | None = None,
        memory: EngineMemory | None = None,
    ) -> VllmEngine:
        """Starts an engine and waits until it is ready, at most ``options.ready_timeout_seconds``.

        ``dtype`` is float32 or bfloat16; by default bfloat16 on a GPU and float32 on a CPU. ``memory`` is this engine's
        part of each GPU's memory, by default all that may be used. Raises MissingExtraError, DamagedModelError for
        weights that do not load, and EngineError when there is no device or the engine does not become ready.
        """
        options = options or VllmOptions()
        tokenizer = ChatTokenizer(checkpoint)
        prepare_environment(options)
        on_cpu = device_type() == "cpu"
        if on_cpu:
            require_compiler()
        counters = SchedulerCounters()
        arguments = engine_arguments(
            checkpoint,
            adapters or {},
            dtype=dtype,
            options=options,
            memory=memory,
            on_cpu=on_cpu,
            threads_pinned=threads_are_pinned(),
        )
        try:
            from vllm import AsyncEngineArgs
            from vllm.v1.engine.async_llm import AsyncLLM

            with ready_within(options.ready_timeout_seconds):
                engine = AsyncLLM.from_engine_args(
                    AsyncEngineArgs(**arguments),
                    usage_context=usage_context(),
                    stat_loggers=[_stat_logger(counters)],
                )
        except Exception as error:
            # Everything vLLM raises here is about the weights, the device or the options; its own log has the details.
            raise EngineError(f"vLLM did not start on {checkpoint}: {first_line(error, limit=300)}") from None
        if on_cpu:
            engines_give_way()
        return cls(engine, tokenizer, checkpoint, adapters or {}, counters=counters, on_cpu=on_cpu)

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
        return await score_in_chunks(candidates, lambda part: self._scores.score(prompt, len(prompt), part, adapter))

    async def continuation_logprobs(
        self, prompt: Sequence[int], continuations: Sequence[Sequence[int]], adapter: str | None = None
    ) -> list[list[float]]:
        async def score(continuation: Sequence[int]) -> list[float]:
            if not continuation:
                return []
            if adapter is None or not self.on_cpu:
                return await self._scores.score([*prompt, *continuation[:-1]], len(prompt), continuation[-1:], adapter)
            # vLLM's CPU back end dies when it is asked for the log-probs of a prompt under an adapter.
            parts = await run_together(
                self._scores.score([*prompt, *continuation[:i]], len(prompt) + i, [token], adapter)
                for i, token in enumerate(continuation)
            )
            return [value for part in parts for value in part]

        return await run_together(score(continuation) for continuation in continuations)

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
        if self._open_requests == 0 or self.counters.steps != self._steps_seen:
            self._look_at_steps()
        elif self._clock() - self._seen_at > STALL_SECONDS:
            raise EngineError(
                f"the vLLM engine hangs: no step in {STALL_SECONDS:g} s, with {self._open_requests} requests open"
            )

    def _look_at_steps(self) -> None:
        self._steps_seen, self._seen_at = self.counters.steps, self._clock()

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            engine, self._engine = self._engine, None
            # Versions up to 0.11 kill after five seconds and cannot be told otherwise.
            patience = {"timeout": SHUTDOWN_SECONDS} if "timeout" in signature(engine.shutdown).parameters else {}
            await asyncio.to_thread(engine.shutdown, **patience)
            # vLLM takes all there is at its start out of the collector's sight, so circles with it are never found, and
            # its destructor would do this once more when the interpreter has already taken itself apart.
            engine.shutdown = lambda: None

    async def _run(self, prompt: Sequence[int], adapter: str | None, *, max_tokens: int, **options: Any) -> Any:
        """vLLM's last output for a request; cancelling aborts the request inside the engine."""
        import vllm
        from vllm.v1.engine.exceptions import EngineDeadError

        self._check(prompt, max_tokens, adapter)
        try:
            parameters = vllm.SamplingParams(
                max_tokens=max_tokens, detokenize=False, **({"temperature": 0.0} | options)
            )
        except TypeError as error:
            raise EngineError(
                f"found vLLM {vllm.__version__}, which does not know what a request asks for "
                f"({first_line(error)}); expected {LEAST_VERSION} or newer"
            ) from None
        stream = self._engine.generate(
            {"prompt_token_ids": list(prompt)},
            parameters,
            f"aiac-{next(self._ids)}",
            lora_request=None if adapter is None else self._lora_requests[adapter],
        )
        final = None
        if self._open_requests == 0:
            self._look_at_steps()
        self._open_requests += 1
        try:
            async for output in stream:
                final = output
        except EngineDeadError:
            raise EngineError("the vLLM engine has stopped") from None
        except Exception as error:
            raise EngineError(f"the vLLM engine failed: {first_line(error, limit=300)}") from None
        finally:
            self._open_requests -= 1
        if final is None:
            raise EngineError("the vLLM engine ended a request without an output")
        return final

    def _check(self, prompt: Sequence[int], extra: int, adapter: str | None) -> None:
        if self._closed:
            raise EngineError("the engine is closed")
        check_adapter(adapter, [None, *self.adapters])
        if adapter is None and self.adapters and self.on_cpu:
            raise EngineError("on a CPU, vLLM computes the bare model wrongly beside adapters; it needs its own engine")
        check_prompt(prompt, extra, self.max_tokens)


def usage_context() -> Any:
    """The context of a server: by itself an engine inside a program computes 2,048 tokens a step on every GPU.

    A server on an MI300X computes 16,384, on an H100 8,192 (vLLM 0.32).
    """
    from vllm.usage.usage_lib import UsageContext

    return UsageContext.OPENAI_API_SERVER


def _stop_ids(engine: Any, tokenizer: ChatTokenizer) -> frozenset[int]:
    """The tokens that end a turn: those of the checkpoint's generation config, and the tokenizer's own."""
    found = engine.model_config.try_get_generation_config().get("eos_token_id", [])
    ids = [found] if isinstance(found, int) else list(found)
    end = tokenizer.hf.eos_token_id
    return frozenset([*ids, *([] if end is None else [int(end)])])


def _stat_logger(counters: SchedulerCounters) -> Any:
    """A factory of vLLM stat loggers that keep ``counters`` up to date."""
    from vllm.v1.metrics.loggers import StatLoggerBase

    class CountingLogger(StatLoggerBase):  # type: ignore[misc]
        def __init__(self, vllm_config: Any, engine_index: int = 0) -> None:
            pass

        def record(self, scheduler_stats: Any, iteration_stats: Any, *args: Any, **kwargs: Any) -> None:
            if scheduler_stats is not None:
                counters.running = scheduler_stats.num_running_reqs
                counters.waiting = scheduler_stats.num_waiting_reqs
                counters.steps += 1

        def log_engine_initialized(self) -> None:
            pass

    return CountingLogger
