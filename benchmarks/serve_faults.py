"""What may happen to a service: an engine process killed under load, a long time, and everybody asking at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from itertools import islice
from statistics import linear_regression
from typing import Any

import httpx

from agents.core.schema import Question
from benchmarks.load import AnswerClient, LeanClient, OpenLoop, Outcome, summary
from benchmarks.reporting import note, percentiles_ms
from benchmarks.serve_processes import Service, members_ready

RECOVERY_SECONDS = 300.0
"""How long to wait for a killed engine to serve again."""
SAMPLE_SECONDS = 30.0
"""How often memory is looked at in a soak; a tenth of it when it is shorter than five minutes."""

FAILED = ("unavailable", "server_error", "failed")


async def kill_an_engine(
    service: Service,
    http: httpx.AsyncClient,
    load: OpenLoop[Question],
    fresh: Iterator[Question],
    *,
    steady_s: float,
    limit_s: float,
) -> dict[str, Any]:
    """SIGKILL to the oldest engine process under ``load``, which goes on until all members serve again.

    ``steady_s`` of load come before the kill and after the recovery. A service with one engine or none is let be.
    """
    engines = service.engine_processes()
    if len(engines) < 2:
        return {"skipped": f"{len(engines)} engine processes: killing one leaves nothing that could answer"}

    async def kill() -> dict[str, Any]:
        engines[0].kill()
        lost_s, back_s = await recovery(lambda: members_ready(http, service.url))
        return {"engine_processes": len(engines), "noticed_after_s": lost_s, "all_members_after_s": back_s}

    return await fault_under(load, fresh, kill, steady_s=steady_s, limit_s=limit_s)


async def fault_under(
    load: OpenLoop[Question],
    fresh: Iterator[Question],
    fault: Callable[[], Awaitable[dict[str, Any]]],
    *,
    steady_s: float,
    limit_s: float,
) -> dict[str, Any]:
    """How ``load`` fares through ``fault``, which kills, waits until all is well again, and tells what it saw.

    ``steady_s`` of load come before it, and again after it.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    offering = asyncio.create_task(load.offer(fresh, float("inf")))
    await asyncio.sleep(steady_s)
    killed_after_s = loop.time() - started
    told = await fault()
    await asyncio.sleep(steady_s)
    offering.cancel()
    outcomes = await load.finish()
    return {
        "rate_per_s": load.rate_per_s,
        "killed_after_s": killed_after_s,
        **told,
        **fault_summary(outcomes, limit_s, loop.time() - started),
    }


async def recovery(ready: Callable[[], Any]) -> tuple[float | None, float | None]:
    """Seconds until not all members serve, and until all do again; None for what does not happen in time."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    lost_s: float | None = None
    while (passed_s := loop.time() - started) < RECOVERY_SECONDS:
        members: Mapping[str, bool] = await ready()
        whole = bool(members) and all(members.values())
        if lost_s is None and not whole:
            lost_s = passed_s
            note(f"noticed after {passed_s:.1f} s")
        elif lost_s is not None and whole:
            note(f"all members after {passed_s:.1f} s")
            return lost_s, passed_s
        await asyncio.sleep(0.2)
    return lost_s, None


def fault_summary(outcomes: Sequence[Outcome], limit_s: float, elapsed_s: float) -> dict[str, Any]:
    """``load.summary``, and how many requests failed and how many answers no member had a part in."""
    found = summary(outcomes, limit_s, elapsed_s)
    return found | {
        "failed_requests": sum(found["counts"][kind] for kind in FAILED),
        "answers_without_a_vote": sum(outcome.status == 200 and not outcome.votes for outcome in outcomes),
    }


async def soak(
    service: Service, load: OpenLoop[Question], fresh: Iterator[Question], *, seconds: float, limit_s: float
) -> dict[str, Any]:
    """``seconds`` of load, and the memory before, during and after it."""
    loop = asyncio.get_running_loop()
    before = service.rss_bytes()
    started = loop.time()
    samples: list[dict[str, float]] = []

    async def watch() -> None:
        while True:
            samples.append({"after_s": loop.time() - started, **service.rss_bytes()})
            await asyncio.sleep(min(SAMPLE_SECONDS, seconds / 10))

    watching = asyncio.create_task(watch())
    await load.offer(fresh, seconds)
    watching.cancel()
    outcomes = await load.finish()
    elapsed_s = loop.time() - started
    half = samples[len(samples) // 2 :]
    return {
        "rate_per_s": load.rate_per_s,
        "seconds": seconds,
        "rss_bytes": {"before": before, "during": samples, "after": service.rss_bytes()},
        "mb_per_hour": {name: mb_per_hour(samples, name) for name in before},
        "mb_per_hour_second_half": {name: mb_per_hour(half, name) for name in before},
        **fault_summary(outcomes, limit_s, elapsed_s),
    }


async def burst(
    service: Service, client: AnswerClient, fresh: Iterator[Question], *, requests: int, limit_s: float
) -> dict[str, Any]:
    """``requests`` questions at the same moment, each over a connection of its own that is open before.

    ``complete_after`` says whether one question that ``client`` asks when all is over gets a complete answer.
    """
    loop = asyncio.get_running_loop()
    address = httpx.URL(service.url)
    before = service.rss_bytes()
    async with aclosing(LeanClient(address.host, address.port or 80)) as lean:
        await lean.connect(requests)
        ask = AnswerClient(lean, service.url).ask
        started = loop.time()
        outcomes = await asyncio.gather(*map(ask, islice(fresh, requests)))
        elapsed_s = loop.time() - started
    refused_s = [outcome.latency_s for outcome in outcomes if outcome.status == 503]
    return {
        "elapsed_s": elapsed_s,
        "refused_ms": percentiles_ms(refused_s),
        "rss_bytes": {"before": before, "after": service.rss_bytes()},
        "complete_after": (await client.ask(next(fresh))).complete,
        **fault_summary(outcomes, limit_s, elapsed_s),
    }


def mb_per_hour(samples: Sequence[Mapping[str, float]], name: str) -> float | None:
    """The slope of a straight line through the samples of ``name``, in 10^6 bytes an hour; None of fewer than two."""
    if len(samples) < 2:
        return None
    hours = [sample["after_s"] / 3600 for sample in samples]
    return float(linear_regression(hours, [sample[name] / 1e6 for sample in samples]).slope)
