"""One vLLM server: its connections, what it serves, and how it has been doing."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from agents.engines.remote.config import RemoteLimits, ServedNames
from agents.engines.remote.wire import (
    Completion,
    ModelCard,
    ModelList,
    ReplicaError,
    RequestRefusedError,
    excerpt,
    expect_ok,
    parse,
)

RECENT_REQUESTS = 256
"""Latencies kept for the quantiles: enough for a p95, few enough to follow a change of load."""

# vLLM closes a connection that was idle for 5 s. One that we reuse just then fails, so ours are closed before.
KEEPALIVE_EXPIRY_S = 3.0


class Latencies:
    """The latest latencies, in seconds."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=RECENT_REQUESTS)

    def __len__(self) -> int:
        return len(self._recent)

    def add(self, seconds: float) -> None:
        self._recent.append(seconds)

    def quantile_s(self, share: float) -> float | None:
        """The smallest latency that at least ``share`` of the requests did not exceed; None before the first."""
        ordered = sorted(self._recent)
        return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None


@dataclass(frozen=True)
class ServedModel:
    """A model as one server offers it: its id there, and the most tokens of prompt and answer together."""

    id: str
    max_tokens: int | None
    beside: tuple[str, ...] = ()
    """The ids of adapters whose requests may share a batch with this model's."""


def served_models(cards: Sequence[ModelCard], names: ServedNames) -> dict[str | None, ServedModel]:
    """What a server's list offers of ``names``, by member's name; None is the bare base model.

    A member is the entry of its name. The base is the entry named ``names.base``; without one, it is the only entry
    that is neither an adapter (it has no parent) nor a member: ``vllm serve`` names a model by the path it loads from.
    """
    by_id = {card.id: card for card in cards}
    known = {*names.members, *names.others}
    bare = [card for card in cards if card.parent is None and card.id not in known]
    found: dict[str | None, ModelCard] = {name: by_id[name] for name in names.members if name in by_id}
    if names.base is not None and names.base in by_id:
        found[None] = by_id[names.base]
    elif names.base is not None and len(bare) == 1:
        found[None] = bare[0]
    adapters = tuple(card.id for card in cards if card.parent is not None and card.id in known)
    return {
        name: ServedModel(card.id, _max_tokens(card, by_id), adapters if name is None else ())
        for name, card in found.items()
    }


def _max_tokens(card: ModelCard, by_id: Mapping[str, ModelCard]) -> int | None:
    parent = by_id.get(card.parent or "")
    return card.max_model_len or (parent.max_model_len if parent else None)


@dataclass(frozen=True)
class ReplicaStats:
    """How one server is doing. ``serves`` and ``refused`` name members, None the bare model; times in milliseconds."""

    url: str
    up: bool
    reason: str | None
    """Why it is down."""
    serves: tuple[str | None, ...]
    refused: Mapping[str | None, str]
    outstanding: int
    answered: int
    failures: int
    p50_ms: float | None
    p95_ms: float | None


@dataclass(eq=False)
class Replica:
    """A server at ``url``. ``up`` and what belongs to it are changed by ``Replicas``."""

    url: str
    api_key: str | None = field(repr=False)
    limits: RemoteLimits
    up: bool = False
    reason: str = "not asked yet"
    """Why it is down."""
    listed: tuple[str, ...] = ()
    serves: dict[str | None, ServedModel] = field(default_factory=dict)
    refused: dict[str | None, str] = field(default_factory=dict)
    """Members it offers and may not serve, and why."""
    outstanding: int = 0
    answered: int = 0
    failures: int = 0
    strikes: int = 0
    """Failures without a good answer in between."""
    latencies: Latencies = field(default_factory=Latencies)
    went_down: asyncio.Event = field(default_factory=asyncio.Event)
    last_answer_at_s: float = -math.inf

    def __post_init__(self) -> None:
        self.slots = asyncio.Semaphore(self.limits.concurrency)
        self._headers = {"accept-encoding": "identity"}
        if self.api_key:
            self._headers["authorization"] = f"Bearer {self.api_key}"
        self._tls = httpx.create_ssl_context()
        # The most recently used comes last. A client each for a connection: with hundreds of them in one pool, httpcore
        # looks through all of them for every request, and that took half of a request's time.
        self._idle: list[httpx.AsyncClient] = []

    def _connect(self) -> httpx.AsyncClient:
        # No variable of the environment steers it: a proxy for the internet has no business between these two.
        return httpx.AsyncClient(
            headers=self._headers,
            timeout=httpx.Timeout(None, connect=self.limits.connect_timeout_s),
            limits=httpx.Limits(max_connections=1, keepalive_expiry=KEEPALIVE_EXPIRY_S),
            follow_redirects=False,
            trust_env=False,
            verify=self._tls,
        )

    def backoff_s(self) -> float:
        """How long to leave a failed server alone."""
        doublings = min(max(self.strikes - 1, 0), 30)
        return min(self.limits.first_backoff_s * 2.0**doublings, self.limits.max_backoff_s)

    def fail(self, reason: str) -> None:
        """Marks it down, for longer each time."""
        self.strikes += 1
        self.up, self.reason = False, reason
        self.went_down.set()

    def succeed(self, started_s: float, now_s: float) -> None:
        """A good answer to a request of ``started_s``."""
        self.latencies.add(now_s - started_s)
        self.answered += 1
        self.strikes, self.last_answer_at_s = 0, now_s

    async def complete(self, model: ServedModel, body: Mapping[str, Any]) -> Completion:
        """One completion. Raises ReplicaError, RequestRefusedError among them."""
        with self._no_key_in_errors():
            status, answer = await self._exchange(
                "POST", "/v1/completions", self.limits.request_timeout_s, {"model": model.id, **body}
            )
            if status in (400, 422):
                raise RequestRefusedError(f"HTTP {status}: {excerpt(answer)}")
            return parse(Completion, expect_ok(status, answer))

    async def list_models(self) -> list[ModelCard]:
        """Asks ``/health``, then what it serves. Raises ReplicaError."""
        with self._no_key_in_errors():
            expect_ok(*await self._exchange("GET", "/health", self.limits.probe_timeout_s))
            return parse(
                ModelList, expect_ok(*await self._exchange("GET", "/v1/models", self.limits.probe_timeout_s))
            ).data

    def stats(self) -> ReplicaStats:
        p50_s, p95_s = self.latencies.quantile_s(0.5), self.latencies.quantile_s(0.95)
        return ReplicaStats(
            url=self.url,
            up=self.up,
            reason=None if self.up else self.reason,
            serves=tuple(self.serves),
            refused=dict(self.refused),
            outstanding=self.outstanding,
            answered=self.answered,
            failures=self.failures,
            p50_ms=None if p50_s is None else p50_s * 1000,
            p95_ms=None if p95_s is None else p95_s * 1000,
        )

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().aclose()

    async def _exchange(
        self, method: str, path: str, timeout_s: float, body: Mapping[str, Any] | None = None
    ) -> tuple[int, bytes]:
        """Status and body. The time-out is for all of it: a server that drips a byte a second is a slow one."""
        answer = bytearray()
        client = self._idle.pop() if self._idle else self._connect()
        try:
            async with asyncio.timeout(timeout_s), client.stream(method, self.url + path, json=body) as response:
                encoding = response.headers.get("content-encoding", "identity")
                if encoding != "identity":
                    raise ReplicaError(f"content encoding {encoding[:20]!r}, which was not asked for")
                async for chunk in response.aiter_raw():
                    answer += chunk
                    if len(answer) > self.limits.max_response_bytes:
                        raise ReplicaError(f"a body over {self.limits.max_response_bytes:,} bytes")
        except TimeoutError:
            raise ReplicaError(f"no answer within {timeout_s:g} s") from None
        except httpx.ConnectTimeout:
            raise ReplicaError(f"no connection within {self.limits.connect_timeout_s:g} s", disconnected=True) from None
        except httpx.HTTPError as error:
            what = str(error) or type(error).__name__
            raise ReplicaError(f"a failed connection ({what[:200]})", disconnected=True) from None
        finally:
            self._idle.append(client)
        return response.status_code, bytes(answer)

    @contextmanager
    def _no_key_in_errors(self) -> Iterator[None]:
        """A server may quote what it was sent."""
        try:
            yield
        except ReplicaError as error:
            if self.api_key:
                error.args = (str(error).replace(self.api_key, "***"),)
            raise
