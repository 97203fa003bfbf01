"""Faults and stress: an engine process killed under load, a long soak, and a burst of requests at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from itertools import islice
from statistics import linear_regression
from typing import Any

import httpx

from agents.core.schema import Question
from benchmarks.clients import LeanClient, LoadClient, RequestResult, now_s
from benchmarks.command_line import note
from benchmarks.load import OpenLoop, summary
from benchmarks.reporting import percentiles_ms
from benchmarks.serve_processes import Service, members_ready

RECOVERY_SECONDS = 300.0
"""Longest wait for a killed engine to serve again."""
SAMPLE_SECONDS = 30.0
"""Time between two readings of memory in a soak; a tenth of a soak that is shorter than five minutes."""

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
    """Send SIGKILL to the oldest engine process under ``load``, which continues until all members serve again.

    ``steady_s`` of load come before the kill and after the recovery. A service with one engine or none is skipped.
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
    """Results of ``load`` during ``fault``, which kills, waits for the recovery, and returns what it saw.

    ``steady_s`` of load come before it, and again after it.
    """
    started = now_s()
    offering = asyncio.create_task(load.offer(fresh, float("inf")))
    await asyncio.sleep(steady_s)
    killed_after_s = now_s() - started
    told = await fault()
    await asyncio.sleep(steady_s)
    offering.cancel()
    results = await load.finish()
    return {
        "rate_per_s": load.rate_per_s,
        "killed_after_s": killed_after_s,
        **told,
        **fault_summary(results, limit_s, now_s() - started),
    }


async def recovery(ready: Callable[[], Any]) -> tuple[float | None, float | None]:
    """Seconds until a member is lost, and until all serve again; None for an event that does not happen in time."""
    started = now_s()
    lost_s: float | None = None
    while (passed_s := now_s() - started) < RECOVERY_SECONDS:
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


def fault_summary(results: Sequence[RequestResult], limit_s: float, elapsed_s: float) -> dict[str, Any]:
    """``load.summary``, with the requests that failed and the answers without a member's vote."""
    found = summary(results, limit_s, elapsed_s)
    return found | {
        "failed_requests": sum(found["counts"][kind] for kind in FAILED),
        "answers_without_a_vote": sum(result.status == 200 and not result.votes for result in results),
    }


async def soak(
    service: Service, load: OpenLoop[Question], fresh: Iterator[Question], *, seconds: float, limit_s: float
) -> dict[str, Any]:
    """Results of ``seconds`` of load, and the memory before, during and after it."""
    before = service.rss_bytes()
    started = now_s()
    samples: list[dict[str, float]] = []

    async def watch() -> None:
        while True:
            samples.append({"after_s": now_s() - started, **service.rss_bytes()})
            await asyncio.sleep(min(SAMPLE_SECONDS, seconds / 10))

    watching = asyncio.create_task(watch())
    await load.offer(fresh, seconds)
    watching.cancel()
    results = await load.finish()
    elapsed_s = now_s() - started
    half = samples[len(samples) // 2 :]
    return {
        "rate_per_s": load.rate_per_s,
        "seconds": seconds,
        "rss_bytes": {"before": before, "during": samples, "after": service.rss_bytes()},
        "mb_per_hour": {name: mb_per_hour(samples, name) for name in before},
        "mb_per_hour_second_half": {name: mb_per_hour(half, name) for name in before},
        **fault_summary(results, limit_s, elapsed_s),
    }


async def burst(
    service: Service, client: LoadClient, fresh: Iterator[Question], *, requests: int, limit_s: float
) -> dict[str, Any]:
    """Ask ``requests`` questions at the same moment, each over a connection of its own, opened before.

    ``complete_after`` is true when one question of ``client`` afterwards gets a complete answer.
    """
    before = service.rss_bytes()
    async with aclosing(LeanClient.to(service.url)) as lean:
        await lean.connect(requests)
        started = now_s()
        results = await asyncio.gather(*map(LoadClient(lean, service.url).answer, islice(fresh, requests)))
        elapsed_s = now_s() - started
    refused_s = [result.latency_s for result in results if result.status == 503]
    return {
        "elapsed_s": elapsed_s,
        "refused_ms": percentiles_ms(refused_s),
        "rss_bytes": {"before": before, "after": service.rss_bytes()},
        "complete_after": (await client.answer(next(fresh))).complete,
        **fault_summary(results, limit_s, elapsed_s),
    }


def mb_per_hour(samples: Sequence[Mapping[str, float]], name: str) -> float | None:
    """Slope of a straight line through the samples of ``name``, in 10^6 bytes an hour; None below two samples."""
    if len(samples) < 2:
        return None
    hours = [sample["after_s"] / 3600 for sample in samples]
    return float(linear_regression(hours, [sample[name] / 1e6 for sample in samples]).slope)
