"""Load on a service: clients that wait for their answers, and arrivals that wait for nobody.

A closed loop finds what a service can do: every client asks its next question once the last one is answered. An open
loop shows what happens when more is asked of it than that: questions arrive at random (a Poisson process), whether or
not the ones before are answered, and each is timed from the moment it was due, so that a client held up by a slow
service does not hide how slow it was.

All times are the event loop's, so that a test may run in simulated time.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from json import dumps
from typing import Any, Generic, Literal, Protocol, TypeVar, get_args

import httpx

from agents.core.schema import Question
from benchmarks.reporting import percentiles_ms

T = TypeVar("T")
Ask = Callable[[Question], Awaitable[Any]]

Kind = Literal["on_time", "late", "refused", "unavailable", "server_error", "failed"]
"""What became of a request: answered within the limit or after it; 503 for want of time, or another 503; another 5xx;
no response, or a status no sound request should get. Each request is exactly one of them."""

BUSY = "urn:aiac:error:busy"
CONNECT_AT_ONCE = 100
"""Well below how many connections a server lets wait to be accepted."""
_REPLY = re.compile(rb"HTTP/1\.1 (\d{3}) .*?^content-length: *(\d+)\r$", re.DOTALL | re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """What came of one request. ``status`` is 0 without a response; ``votes`` are the members that had one."""

    latency_s: float
    status: int
    busy: bool = False
    degraded: bool = False
    votes: int = 0

    @property
    def complete(self) -> bool:
        return self.status == 200 and not self.degraded

    def kind(self, limit_s: float) -> Kind:
        if self.status == 200:
            return "on_time" if self.latency_s <= limit_s else "late"
        if self.status == 503:
            return "refused" if self.busy else "unavailable"
        return "server_error" if self.status >= 500 else "failed"


class Poster(Protocol):
    """What an ``httpx.AsyncClient`` and a ``LeanClient`` have in common. Raises httpx.HTTPError."""

    async def post(self, url: str, *, json: Any) -> httpx.Response: ...


class LeanClient:
    """POSTs JSON over kept-alive connections to one server of our own, at a tenth of what httpx costs.

    Where client and service share a processor, the client's own time would otherwise pass for the service's.
    """

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def connect(self, connections: int) -> None:
        """Opens so many more, for as many requests at once that do not wait for one. Raises OSError."""
        while connections > 0:
            number = min(connections, CONNECT_AT_ONCE)
            self._idle += await asyncio.gather(*(asyncio.open_connection(*self._address) for _ in range(number)))
            connections -= number

    async def post(self, url: str, *, json: Any) -> httpx.Response:
        """``url`` may be a path. Raises httpx.ReadError when the server hangs up or does not speak HTTP."""
        body = dumps(json).encode()
        head = f"POST {httpx.URL(url).raw_path.decode()} HTTP/1.1\r\nHost: service\r\nContent-Type: application/json"
        reader, writer = await self._connection()
        try:
            writer.write(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            found = _REPLY.match(await reader.readuntil(b"\r\n\r\n"))
            if found is None:
                raise httpx.ReadError("a reply without a status or a length")
            response = httpx.Response(int(found[1]), content=await reader.readexactly(int(found[2])))
        except BaseException as error:
            await _closed(writer)
            if isinstance(error, OSError | EOFError):
                raise httpx.ReadError(str(error)) from error
            raise
        self._idle.append((reader, writer))
        return response

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            # A server closes what has been idle for some seconds.
            await _closed(writer)
        return await asyncio.open_connection(*self._address)

    async def aclose(self) -> None:
        for _, writer in self._idle:
            await _closed(writer)
        self._idle.clear()


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _timed_post(client: Poster, url: str, body: Mapping[str, Any]) -> Outcome:
    """What comes of one request to a route that answers in detail."""
    started = _now()
    try:
        response = await client.post(url, json=body)
    except httpx.HTTPError:
        return Outcome(_now() - started, 0)
    latency_s = _now() - started
    if response.status_code != 200:
        return Outcome(latency_s, response.status_code, busy=BUSY in response.text)
    found = response.json()
    votes = sum(member["probabilities"] is not None for member in found.get("members", ()))
    return Outcome(latency_s, 200, degraded=found["degraded"], votes=votes)


class AnswerClient:
    """Asks POST /answer of the service at ``url``, over as many connections as there are questions in flight."""

    def __init__(self, client: Poster, url: str) -> None:
        self._client = client
        self._answer = f"{url}/answer?detail=true"

    async def ask(self, question: Question) -> Outcome:
        body = {"question": question.text, "choices": list(question.choices)}
        return await _timed_post(self._client, self._answer, body)


class QuestionClient:
    """Asks POST /question of the service at ``url``; a request's body is what it asks for."""

    def __init__(self, client: Poster, url: str) -> None:
        self._client = client
        self._question = f"{url}/question?detail=true"

    async def ask(self, body: Mapping[str, Any]) -> Outcome:
        return await _timed_post(self._client, self._question, body)


def http_client(timeout_s: float) -> httpx.AsyncClient:
    """A client without a bound on connections; an idle one is closed before a server would."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=4)
    return httpx.AsyncClient(timeout=timeout_s, limits=limits)


async def closed_loop(ask: Ask, todo: Iterable[Question], clients: int) -> dict[str, Any]:
    """``clients`` callers, each asking its next question once the last one is answered."""
    waiting, latencies_s = iter(todo), list[float]()

    async def client() -> None:
        for question in waiting:
            asked = _now()
            await ask(question)
            latencies_s.append(_now() - asked)

    started = _now()
    await asyncio.gather(*(client() for _ in range(clients)))
    elapsed_s = _now() - started
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
    """Questions of ``fresh`` until ``seconds`` have passed since the first was asked for, or ``go_on`` says no."""
    end = _now() + seconds
    while _now() < end and go_on():
        yield next(fresh)


class OpenLoop(Generic[T]):
    """Questions that arrive at random, ``rate_per_s`` on average, drawn from ``draw``."""

    def __init__(self, ask: Callable[[T], Awaitable[Outcome]], rate_per_s: float, draw: random.Random) -> None:
        self._ask = ask
        self.rate_per_s = rate_per_s
        self._draw = draw
        self._asked: list[asyncio.Task[Outcome]] = []
        self.lags_s: list[float] = []
        """How late each question was sent: what the client's own machine was held up by."""

    async def offer(self, fresh: Iterator[T], seconds: float) -> None:
        """Returns once ``seconds`` have passed, or ``fresh`` has ended; what was asked goes on.

        May be cancelled to stop sooner.
        """
        due = _now() + self._gap_s()
        end = _now() + seconds
        while due < end:
            question = next(fresh, None)
            if question is None:
                return
            await asyncio.sleep(due - _now())
            self.lags_s.append(_now() - due)
            self._asked.append(asyncio.create_task(self._timed(question, due)))
            due += self._gap_s()
        await asyncio.sleep(end - _now())

    async def finish(self) -> list[Outcome]:
        """The outcomes of all that was asked, in the order of arrival, once there are all."""
        return list(await asyncio.gather(*self._asked))

    async def _timed(self, question: T, due: float) -> Outcome:
        outcome = await self._ask(question)
        return replace(outcome, latency_s=_now() - due)

    def _gap_s(self) -> float:
        return self._draw.expovariate(self.rate_per_s)


def summary(outcomes: Sequence[Outcome], limit_s: float, elapsed_s: float) -> dict[str, Any]:
    """How a load fared. Latencies are of what was answered; ``limit_s`` is when an answer is late for the client.

    Shares are of all questions, but for ``answered_by_a_member``: the part of those let in that had, within the limit,
    an answer with at least one member's vote in it.
    """
    total = len(outcomes)
    kinds = Counter(outcome.kind(limit_s) for outcome in outcomes)
    answered = [outcome for outcome in outcomes if outcome.status == 200]
    admitted = total - kinds["refused"]
    voted = sum(outcome.kind(limit_s) == "on_time" and outcome.votes > 0 for outcome in outcomes)
    return {
        "questions": total,
        "answered_per_s": len(answered) / elapsed_s,
        "latency_ms": percentiles_ms([outcome.latency_s for outcome in answered]),
        "counts": {kind: kinds[kind] for kind in get_args(Kind)},
        "shares": {
            **{kind: _share(kinds[kind], total) for kind in get_args(Kind)},
            "degraded": _share(sum(outcome.degraded for outcome in answered), total),
            "answered_by_a_member": _share(voted, admitted),
        },
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _now() -> float:
    return asyncio.get_running_loop().time()
