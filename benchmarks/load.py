"""Closed and open loops that put load on a service, and their summary.

A closed loop finds the capacity: every client asks its next question once the last one is answered. An open loop shows
overload: questions arrive at random (a Poisson process), whether or not the ones before are answered. Each is timed
from the moment it was due, so that a client held up by a slow service does not hide the wait (coordinated omission).
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar, get_args

from agents.core.schema import Question
from benchmarks.clients import RequestResult, ResultKind, now_s
from benchmarks.reporting import percentiles_ms

T = TypeVar("T")
Ask = Callable[[Question], Awaitable[Any]]


async def closed_loop(ask: Ask, todo: Iterable[Question], clients: int) -> dict[str, Any]:
    """Run ``clients`` callers, each asking its next question once the last one is answered."""
    waiting, latencies_s = iter(todo), list[float]()

    async def client() -> None:
        for question in waiting:
            asked = now_s()
            await ask(question)
            latencies_s.append(now_s() - asked)

    started = now_s()
    await asyncio.gather(*(client() for _ in range(clients)))
    elapsed_s = now_s() - started
    return {
        "clients": clients,
        "questions": len(latencies_s),
        "elapsed_s": elapsed_s,
        "questions_per_s": len(latencies_s) / elapsed_s,
        "latency_ms": percentiles_ms(latencies_s),
    }


def for_seconds(
    fresh: Iterator[Question], seconds: float, go_on: Callable[[], bool] = lambda: True
) -> Iterator[Question]:
    """Yield questions of ``fresh`` until ``seconds`` after the first was drawn, or until ``go_on`` says no."""
    end = now_s() + seconds
    while now_s() < end and go_on():
        yield next(fresh)


class OpenLoop(Generic[T]):
    """A Poisson process of questions, ``rate_per_s`` on average, with gaps drawn from ``draw``.

    Own code, because the load generators of the field do not fit. Locust's users are closed loops. `vllm bench serve`
    and GuideLLM time tokens of an OpenAI endpoint, without refusals and degraded answers. None runs in simulated time.
    """

    def __init__(self, ask: Callable[[T], Awaitable[RequestResult]], rate_per_s: float, draw: random.Random) -> None:
        self._ask = ask
        self.rate_per_s = rate_per_s
        self._draw = draw
        self._asked: list[asyncio.Task[RequestResult]] = []
        self.lags_s: list[float] = []
        """Delay of each question against its due time: the client's own machine was busy."""

    async def offer(self, fresh: Iterator[T], seconds: float) -> None:
        """Send questions for ``seconds``, or until ``fresh`` ends; return without waiting for the answers.

        May be cancelled to stop sooner.
        """
        due = now_s() + self._gap_s()
        end = now_s() + seconds
        while due < end:
            question = next(fresh, None)
            if question is None:
                return
            await asyncio.sleep(due - now_s())
            self.lags_s.append(now_s() - due)
            self._asked.append(asyncio.create_task(self._timed(question, due)))
            due += self._gap_s()
        await asyncio.sleep(end - now_s())

    async def finish(self) -> list[RequestResult]:
        """Wait for all answers; return the results in the order of arrival."""
        return list(await asyncio.gather(*self._asked))

    async def _timed(self, question: T, due: float) -> RequestResult:
        result = await self._ask(question)
        return replace(result, latency_s=now_s() - due)

    def _gap_s(self) -> float:
        return self._draw.expovariate(self.rate_per_s)


def summary(results: Sequence[RequestResult], limit_s: float, elapsed_s: float) -> dict[str, Any]:
    """Counts, shares and latencies of a load.

    An answer after ``limit_s`` is late. Latencies are of answers alone, shares are of all questions. The exception is
    ``answered_by_a_member``: of the questions that were not refused, those with a member's vote within the limit.
    """
    total = len(results)
    kinds = Counter(result.kind(limit_s) for result in results)
    answered = [result for result in results if result.status == 200]
    admitted = total - kinds["refused"]
    voted = sum(result.kind(limit_s) == "on_time" and result.votes > 0 for result in results)
    return {
        "questions": total,
        "answered_per_s": len(answered) / elapsed_s,
        "latency_ms": percentiles_ms([result.latency_s for result in answered]),
        "counts": {kind: kinds[kind] for kind in get_args(ResultKind)},
        "shares": {
            **{kind: _share(kinds[kind], total) for kind in get_args(ResultKind)},
            "degraded": _share(sum(result.degraded for result in answered), total),
            "answered_by_a_member": _share(voted, admitted),
        },
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
