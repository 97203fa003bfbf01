"""The remote engine: any number of vLLM servers with OpenAI-compatible HTTP, for more than one machine.

Token ids go out and log-probs come back, as with every engine: nothing is tokenized at the other end. The servers are
started with ``vllm serve``, an adapter by ``--lora-modules NAME=PATH``, a merged checkpoint by ``--served-model-name``.
On vLLM's CPU back end serve merged checkpoints: there a request without an adapter that shares a batch with requests
with one is computed wrongly, which only a comparison of numbers finds (``admit``), while adapters are busy beside it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

from agents.core.errors import EngineError, InputError, describe
from agents.engines.protocol import Generation
from agents.engines.remote import wire
from agents.engines.remote.config import RemoteConfig, ServedNames
from agents.engines.remote.replica import Replica
from agents.engines.remote.replicas import Asker, RemoteStats, Replicas, shown
from agents.engines.remote.watch import ServerWatch
from agents.engines.request_checks import check_prompt
from agents.engines.tokenizer import ChatTokenizer
from agents.engines.vllm.limits import score_in_chunks
from agents.support.concurrency import run_together

MAX_PORT = 65_535
UNKNOWN_CONTEXT_TOKENS = 4096
"""What servers that do not say how long their context is are taken to hold."""

AdmitMember = Callable[["RemoteEngine", str | None], Awaitable[str | None]]
"""Checks a member (None: the bare model) through an engine that asks one server only, by replaying its golden probes.

Called for every member of every server before that server serves it, also when the server comes back after a failure.
Returns why the server may not serve the member, None when it may. An AiacError means that it could not be checked: the
server stays down and is tried again."""


class RemoteEngine:
    """Implements ``protocol.Engine``. Open it with ``open``."""

    def __init__(
        self, asker: Asker, replicas: Replicas, watch: ServerWatch, tokenizer: ChatTokenizer, dtype: str
    ) -> None:
        self._asker = asker
        self._replicas = replicas
        self._watch = watch
        self._tokenizer = tokenizer
        self._dtype = dtype

    @classmethod
    async def open(
        cls,
        urls: Sequence[str],
        tokenizer_folder: Path,
        names: ServedNames,
        config: RemoteConfig,
        admit: AdmitMember | None = None,
    ) -> RemoteEngine:
        """Ask every server what it serves. Await it in the event loop in which the engine is used.

        ``urls``: the servers' addresses, with or without ``/v1``. ``tokenizer_folder``: a folder with the model's
        tokenizer files.

        Servers that are down are tried again in the background, as long as the others serve everything.
        Raises InputError for an address or key that cannot be used and for a name that no server lists, EngineError
        when no server answers, DamagedModelError for the tokenizer.
        """
        api_key, limits = config.api_key, config.limits
        addresses = [_address(url) for url in urls]
        if not addresses or len(set(addresses)) < len(addresses):
            raise InputError("remote servers", describe(list(urls)), "at least one address, none of them twice")
        if api_key is not None and not re.fullmatch("[!-~]+", api_key):
            raise InputError(
                "the key of the remote servers",
                f"a key of {len(api_key)} characters",
                "printable ASCII characters without spaces",
            )
        tokenizer = await asyncio.to_thread(ChatTokenizer, tokenizer_folder)
        replicas = Replicas([Replica(url, api_key, limits) for url in addresses], limits=limits, hedge=config.hedge)

        async def check(asker: Asker, name: str | None) -> str | None:
            return await admit(cls(asker, replicas, watch, tokenizer, config.dtype), name) if admit else None

        watch = ServerWatch(replicas, names, limits=limits, admit=check if admit else None)
        engine = cls(replicas, replicas, watch, tokenizer, config.dtype)
        try:
            await watch.start(config.startup_timeout_s)
            if not any(replica.up for replica in replicas.replicas):
                raise EngineError(f"no remote server answers: {replicas.describe()}")
            if unlisted := watch.unlisted():
                missing = ", ".join(repr(names.base if name is None else name) for name in unlisted)
                raise InputError(
                    "remote servers",
                    f"no server of {missing} ({replicas.describe()})",
                    "every member's name among the model ids of a server",
                )
        except BaseException:
            await engine.close()
            raise
        return engine

    @property
    def tokenizer(self) -> ChatTokenizer:
        return self._tokenizer

    @property
    def dtype(self) -> str:
        return self._dtype

    @property
    def max_tokens(self) -> int:
        limits = [self._replicas.context_tokens(name) for name in self._watch.names.needed]
        return min((limit for limit in limits if limit is not None), default=UNKNOWN_CONTEXT_TOKENS)

    def stats(self) -> RemoteStats:
        """How every server is doing now."""
        return self._replicas.stats()

    async def next_token_logprobs(
        self, prompt: Sequence[int], candidates: Sequence[int], adapter: str | None = None
    ) -> list[float]:
        # The server counts the token that it must generate.
        self._check(prompt, 1, adapter)
        return await score_in_chunks(candidates, lambda part: self._score(prompt, len(prompt), part, adapter))

    async def continuation_logprobs(
        self, prompt: Sequence[int], continuations: Sequence[Sequence[int]], adapter: str | None = None
    ) -> list[list[float]]:
        self._check(prompt, max(map(len, continuations), default=0), adapter)
        # The last token is a candidate instead of a part of the prompt: one position less to compute, and to fit.
        scored = iter(
            await run_together(
                self._score([*prompt, *continuation[:-1]], len(prompt), [continuation[-1]], adapter)
                for continuation in continuations
                if continuation
            )
        )
        return [next(scored) if continuation else [] for continuation in continuations]

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
        body = wire.generation_request(
            prompt, max_tokens=max_tokens, temperature=temperature, top_p=top_p, seed=seed, json_schema=json_schema
        )
        return await self._asker.ask(adapter, body, wire.generation, "generate")

    async def check_health(self) -> None:
        """Passes when everything needed is served by a server that is up; what the background probes saw last."""
        down = [shown(name) for name in self._watch.names.needed if not self._replicas.live(name)]
        if down:
            raise EngineError(f"no server of {', '.join(down)} is up: {self._replicas.describe()}")

    async def close(self) -> None:
        await self._watch.close()
        await self._replicas.close()

    async def _score(
        self, tokens: Sequence[int], start: int, candidates: Sequence[int], adapter: str | None
    ) -> list[float]:
        """Log-probs of ``tokens[start:]``, then of each candidate after all of ``tokens``."""
        body = wire.scoring_request(tokens, candidates, with_prompt=start < len(tokens))

        def read(completion: wire.Completion) -> list[float]:
            inside = wire.prompt_tokens(completion, tokens, start) if start < len(tokens) else []
            return inside + wire.next_token(completion, candidates)

        return await self._asker.ask(adapter, body, read, "score")

    def _check(self, prompt: Sequence[int], extra: int, adapter: str | None) -> None:
        if adapter not in self._watch.names.needed:
            known = ", ".join(map(shown, self._watch.names.needed))
            raise EngineError(f"{shown(adapter)} was not asked for when the engine was opened; it serves {known}")
        check_prompt(prompt, extra, self._replicas.context_tokens(adapter), "the servers'")


def _address(url: str) -> str:
    """The address without ``/v1``. A name and password in it never reach a message."""
    expected = "an address such as http://10.0.0.5:8000"
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL:
        raise InputError("remote servers", describe(url), expected) from None
    if parsed.userinfo:
        raise InputError("remote servers", "an address with a password in it", "a bearer key instead")
    if (
        parsed.scheme not in ("http", "https")
        or not parsed.host
        or parsed.query
        or parsed.fragment
        or (parsed.port or 0) > MAX_PORT
    ):
        raise InputError("remote servers", describe(url), expected)
    return str(parsed).rstrip("/").removesuffix("/v1")
