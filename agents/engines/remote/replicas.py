"""Many servers as one: the least busy is asked, failures are retried elsewhere, slow requests are hedged.

A request is sent at most twice. The second time is when the first failed or, with hedging, when it takes longer than
95 of 100 recent ones; the first good answer wins and the other connection is closed, which makes vLLM abort its work.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeVar

from agents.core.deadline import Clock
from agents.core.errors import EngineError
from agents.engines.remote.config import RemoteLimits
from agents.engines.remote.replica import Latencies, Replica, ReplicaStats, ServedModel
from agents.engines.remote.wire import Completion, ReplicaError, RequestRefusedError
from agents.support.concurrency import cancel_all

T = TypeVar("T")
Kind = Literal["score", "generate"]
"""Requests whose latencies may be compared."""

HEDGE_QUANTILE = 0.95
HEDGE_AFTER_REQUESTS = 20
"""A p95 of fewer is a guess."""
REQUESTS_PER_HEDGE = 10
"""At least so many requests between two hedges: when all are slow, more load is not the cure."""


class Asker(Protocol):
    """Where a request goes."""

    async def ask(
        self, adapter: str | None, body: Mapping[str, Any], read: Callable[[Completion], T], kind: Kind
    ) -> T: ...


@dataclass(frozen=True)
class RemoteStats:
    replicas: tuple[ReplicaStats, ...]
    retried: int
    hedged: int


class Replicas:
    """The servers behind a remote engine. Who is up is for ``ServerWatch`` to say, and for requests that fail."""

    def __init__(
        self,
        replicas: Sequence[Replica],
        *,
        limits: RemoteLimits,
        hedge: bool = False,
        clock: Clock = time.monotonic,
    ) -> None:
        self.replicas = tuple(replicas)
        self._limits = limits
        self._hedge = hedge
        self._clock = clock
        self._closed = False
        self._turn = 0
        self._recent: dict[Kind, Latencies] = {"score": Latencies(), "generate": Latencies()}
        self._requests_since_hedge = REQUESTS_PER_HEDGE
        self._retried = self._hedged = 0
        self._attempts: set[asyncio.Task[Any]] = set()

    def live(self, name: str | None) -> list[Replica]:
        """The servers of a member (None: of the bare model) that are up."""
        return [replica for replica in self.replicas if replica.up and name in replica.serves]

    def context_tokens(self, name: str | None) -> int | None:
        """Tokens that fit every server of ``name``, up or down; None when no server tells."""
        known = [replica.serves[name].max_tokens for replica in self.replicas if name in replica.serves]
        return min((tokens for tokens in known if tokens is not None), default=None)

    def stats(self) -> RemoteStats:
        return RemoteStats(tuple(replica.stats() for replica in self.replicas), self._retried, self._hedged)

    async def ask(self, adapter: str | None, body: Mapping[str, Any], read: Callable[[Completion], T], kind: Kind) -> T:
        """Sends ``body`` to a server of ``adapter`` and returns what ``read`` finds in the answer.

        Raises EngineError that names every server asked and what each was found to do.
        """
        if self._closed:
            raise EngineError("the engine is closed")
        first = self._pick(adapter, ())
        if first is None:
            raise EngineError(f"no server of {shown(adapter)} is up: {self.describe()}")
        self._requests_since_hedge += 1
        running: dict[asyncio.Task[T], Replica] = {}
        failures: dict[Replica, str] = {}
        may_hedge = may_retry = True

        def send(replica: Replica) -> None:
            running[self.start_attempt(replica, replica.serves[adapter], body, read, kind)] = replica

        send(first)
        try:
            while running:
                delay_s = self._hedge_delay_s(kind) if may_hedge and may_retry else None
                done, _ = await asyncio.wait(running, timeout=delay_s, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    may_hedge = False
                    other = self._pick(adapter, running.values())
                    if other is not None and self._requests_since_hedge >= REQUESTS_PER_HEDGE:
                        may_retry = False
                        self._requests_since_hedge = 0
                        self._hedged += 1
                        send(other)
                for task in done:
                    replica = running.pop(task)
                    try:
                        return task.result()
                    except asyncio.CancelledError:
                        raise EngineError("the engine is closed") from None
                    except RequestRefusedError as error:
                        raise EngineError(f"{replica.url} refused the request: {error}") from None
                    except ReplicaError as error:
                        failures[replica] = str(error)
                        other = self._pick(adapter, failures)
                        if may_retry and other is None and error.disconnected and adapter in replica.serves:
                            # The last server: only the connection may have been at fault, so it is not marked down yet.
                            other = replica
                        elif replica.up:
                            replica.fail(str(error))
                        if may_retry and other is not None:
                            may_retry = False
                            self._retried += 1
                            send(other)
            raise EngineError("; ".join(f"{replica.url}: {found}" for replica, found in failures.items()))
        finally:
            await cancel_all(running)

    def describe(self) -> str:
        """Every server, and what it serves or why it does not, as a phrase."""
        return "; ".join(
            f"{replica.url}: {'lists ' + (', '.join(replica.listed) or 'nothing') if replica.up else replica.reason}"
            + "".join(f", refused {shown(name)}: {reason}" for name, reason in replica.refused.items())
            for replica in self.replicas
        )

    async def close(self) -> None:
        """Ends what waits with EngineError. Idempotent."""
        self._closed = True
        await cancel_all(self._attempts)
        await asyncio.gather(*(replica.close() for replica in self.replicas))

    def _pick(self, name: str | None, excluded: Iterable[Replica]) -> Replica | None:
        """The live server with the fewest requests outstanding; among equals, the one whose turn it is."""
        live = [replica for replica in self.live(name) if replica not in set(excluded)]
        if not live:
            return None
        self._turn += 1
        turn = self._turn % len(live)
        return min(live[turn:] + live[:turn], key=lambda replica: replica.outstanding)

    def _hedge_delay_s(self, kind: Kind) -> float | None:
        recent = self._recent[kind]
        if not self._hedge or len(recent) < HEDGE_AFTER_REQUESTS:
            return None
        return recent.quantile_s(HEDGE_QUANTILE)

    def start_attempt(
        self,
        replica: Replica,
        model: ServedModel,
        body: Mapping[str, Any],
        read: Callable[[Completion], T],
        kind: Kind,
    ) -> asyncio.Task[T]:
        replica.outstanding += 1
        task = asyncio.create_task(self._attempt(replica, model, body, read, kind))
        self._attempts.add(task)

        def ended(task: asyncio.Task[T]) -> None:
            # Not in the coroutine: a task cancelled before its first step runs none of it.
            replica.outstanding -= 1
            self._attempts.discard(task)

        task.add_done_callback(ended)
        return task

    async def _attempt(
        self,
        replica: Replica,
        model: ServedModel,
        body: Mapping[str, Any],
        read: Callable[[Completion], T],
        kind: Kind,
    ) -> T:
        async with replica.slots:
            started_s = self._clock()
            try:
                found = read(await replica.complete(model, body))
            except RequestRefusedError:
                replica.last_answer_at_s = self._clock()
                raise
            except ReplicaError:
                replica.failures += 1
                raise
            except asyncio.CancelledError:
                self._note_abandoned(replica, started_s)
                raise
            replica.succeed(started_s, self._clock())
            self._recent[kind].add(self._clock() - started_s)
            return found

    def _note_abandoned(self, replica: Replica, started_s: float) -> None:
        """A server that hangs is cancelled by deadlines long before its time-out, and would look idle, so attractive.

        It is not marked down when it is the last one of anything: under overload everybody is slow.
        """
        waited_s = self._clock() - started_s
        others_serve = all(len(self.live(name)) > 1 for name in replica.serves)
        if waited_s >= self._limits.stall_s and replica.last_answer_at_s < started_s and replica.up and others_serve:
            replica.failures += 1
            replica.fail(f"no answer to anybody in the {waited_s:.1f} s before a request was cancelled")


@dataclass(frozen=True)
class OneReplica:
    """One server, up or not, as what is asked."""

    replicas: Replicas
    replica: Replica
    model: ServedModel

    def of(self, model_id: str) -> OneReplica:
        """The same server, asked for another of its models."""
        return replace(self, model=ServedModel(model_id, self.model.max_tokens))

    async def ask(self, adapter: str | None, body: Mapping[str, Any], read: Callable[[Completion], T], kind: Kind) -> T:
        task = self.replicas.start_attempt(self.replica, self.model, body, read, kind)
        try:
            return await task
        except ReplicaError as error:
            raise EngineError(f"{self.replica.url}: {error}") from None
        finally:
            await cancel_all([task])


def shown(name: str | None) -> str:
    """A member's name for a message."""
    return "the base model" if name is None else repr(name)
