"""The service under load: capacity, overload, faults, and overhead over the engine.

python -m benchmarks.serve prints JSON. A server of this project is started as a process of its own and asked over HTTP,
first by clients that wait for their answers (capacity: the most complete answers a second), then by arrivals at random
at half, once and twice that rate, under the edition's own deadline. With vLLM an engine process is killed under load,
and with `remote` one of the `vllm serve` processes that are started for it, unless AIAC_REMOTE_URLS names others.
The overhead over an engine, and a plain `vllm serve` beside it, is in benchmarks/serve_overhead.py. Every question is
asked once, so that no cache helps.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx
import psutil

from agents.core.edition import load_edition
from agents.core.errors import AiacError
from agents.engines.remote.options import RemoteOptions
from agents.ensemble.engine_kinds import ENGINES
from agents.support.settings import read_settings
from benchmarks.command_line import argument_parser, at_least, note, positive, print_report, run_with_servers
from benchmarks.in_process import patient
from benchmarks.load import closed_loop, for_seconds
from benchmarks.reporting import Aims, check_aims, environment
from benchmarks.sample_questions import questions
from benchmarks.serve_faults import burst, kill_an_engine, soak
from benchmarks.serve_load import started
from benchmarks.serve_overhead import Scale, overhead
from benchmarks.serve_remote import Fleet, fleet, kill_a_server
from service.server import allow_open_files
from service.settings import load_settings

logger = logging.getLogger(__name__)

EXPECTED = (AiacError, RuntimeError, httpx.HTTPError, psutil.Error)
"""Errors of a server that does not start, or of a measurement that cannot be made."""
PARTS = ("load", "kill", "overhead")
RATES = (0.5, 1.0, 2.0)
KILL_RATE, SOAK_RATE = 0.5, 0.7
"""Shares of the capacity."""

AIMS: Aims = {
    "service_over_engine_throughput": ("at least", 0.97),
    "service_added_ms_p50": ("at most", 3.0),
    "late_at_2x": ("at most", 0.0),
    "server_errors_at_2x": ("at most", 0.0),
    "answered_by_a_member_at_2x": ("at least", 0.95),
    "drain_limits_at_2x": ("at most", 1.0),
    "failed_requests_after_kill": ("at most", 0.0),
    "late_in_burst": ("at most", 0.0),
    "failed_requests_in_burst": ("at most", 0.0),
    "members_of_one_engine_over_one": ("at most", 1.4),
}


@dataclass(frozen=True)
class ServeOptions:
    """Parts and sizes of the measurement. ``soak_s`` and ``burst`` are 0 to leave that part out.

    ``replicas`` counts the servers of each model that are started for ``remote``.
    """

    engines: Sequence[str]
    ensembles: Sequence[str]
    parts: Sequence[str]
    seconds: float
    soak_s: float
    burst: int
    scale: Scale
    seed: int
    replicas: int = 2


@asynccontextmanager
async def servers_behind(engine: str, ensemble: str, options: ServeOptions) -> AsyncIterator[Fleet | None]:
    """Start the vLLM servers that ``remote`` asks and set them in the environment; None when none are needed."""
    if not starts_servers(engine):
        yield None
        return
    async with fleet(ensemble, options.replicas) as servers:
        with servers.in_environment():
            yield servers


def starts_servers(engine: str) -> bool:
    return engine == "remote" and not read_settings(RemoteOptions).addresses


async def under_load(found: dict[str, Any], options: ServeOptions, limit_s: float, servers: Fleet | None) -> None:
    """Measure every part that puts load on a server, and add each result to ``found`` at once.

    ``found`` names the engine and the ensemble; ``servers`` are those started for ``remote``. The capacity is measured
    with far deadlines, on a server of its own, all else with the edition's.
    """
    ensemble, engine = found["ensemble"], found["engine"]
    fresh, seeds = questions(options.seed), count(options.seed)
    async with started(ensemble, engine, fresh, seeds, limit_s, **patient()) as test:
        found["capacity"] = await test.capacity(options.seconds / 2)
    capacity = found["capacity"]["questions_per_s"]
    async with started(ensemble, engine, fresh, seeds, limit_s) as test:
        # Warm-up: the service learns the cost of its steps from the first answers.
        await closed_loop(test.client.answer, for_seconds(fresh, options.seconds / 4), 1)
        if "load" in options.parts:
            found["open_loop"] = []
            for times in RATES:
                note(f"{times:g} times the capacity")
                found["open_loop"].append({"times": times, **await test.load(times * capacity, options.seconds)})
        if "kill" in options.parts and (engine == "vllm" or servers is not None):
            load, steady_s = test.arrivals(KILL_RATE * capacity), options.seconds / 3
            note("killing an engine" if servers is None else "killing a server")
            found["kill"] = await (
                kill_an_engine(test.service, test.http, load, fresh, steady_s=steady_s, limit_s=limit_s)
                if servers is None
                else kill_a_server(servers, load, fresh, steady_s=steady_s, limit_s=limit_s)
            )
        if options.soak_s:
            note(f"soaking for {options.soak_s:g} s")
            load = test.arrivals(SOAK_RATE * capacity)
            found["soak"] = await soak(test.service, load, fresh, seconds=options.soak_s, limit_s=limit_s)
        if options.burst:
            note(f"asking {options.burst:,} questions at once")
            found["burst"] = await burst(test.service, test.client, fresh, requests=options.burst, limit_s=limit_s)


def measured(found: dict[str, Any], limit_s: float) -> dict[str, float]:
    """Select the measurements of one result that have aims."""
    values: dict[str, float] = {}
    if "ratios" in found:
        values |= found["ratios"] | {"service_added_ms_p50": found["service_added_ms"]["p50"]}
    # On a CPU every member costs as much as the first.
    if "one_engine" in found and found["one_engine"]["on_gpu"]:
        values["members_of_one_engine_over_one"] = found["one_engine"]["all_over_one"]
    for run in found.get("open_loop", ()):
        if run["times"] == 2.0:
            counts = run["counts"]
            values["late_at_2x"] = counts["late"]
            values["server_errors_at_2x"] = counts["server_error"] + counts["failed"]
            values["drain_limits_at_2x"] = run["drain_s"] / limit_s
            if run["shares"]["answered_by_a_member"] is not None:
                values["answered_by_a_member_at_2x"] = run["shares"]["answered_by_a_member"]
    if "failed_requests" in found.get("kill", ()):
        values["failed_requests_after_kill"] = found["kill"]["failed_requests"]
    if "burst" in found:
        values["late_in_burst"] = found["burst"]["counts"]["late"]
        values["failed_requests_in_burst"] = found["burst"]["failed_requests"]
    return values


def vllm_installed() -> bool:
    return importlib.util.find_spec("vllm") is not None


async def measure(options: ServeOptions, has_vllm: Callable[[], bool] = vllm_installed) -> dict[str, Any]:
    """Return the report. A server that fails to start is an error in it, and the rest is measured."""
    settings = load_settings()
    limit_s = load_edition(settings.edition).answer_seconds
    report: dict[str, Any] = {
        **environment(),
        "seed": options.seed,
        "edition": {"name": settings.edition, "limit_s": limit_s, "margin_ms": settings.margin_ms},
        "capacity_edition": patient(),
        "service": [],
        "overhead": [],
        "skipped": [],
        "errors": [],
    }
    fresh = questions(options.seed + 1)

    async def attempt(ensemble: str, engine: str, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:
            # An error of any kind must not lose half an hour of measurements before it.
            if not isinstance(error, EXPECTED):
                logger.exception("%s on %s", ensemble, engine)
            reason = str(error) or type(error).__name__
            note(f"{ensemble} on {engine}: {reason}")
            report["errors"].append({"engine": engine, "ensemble": ensemble, "error": reason})

    async def beside(ensemble: str, engine: str) -> None:
        report["overhead"].append(await overhead(ensemble, engine, options.scale, fresh))

    async def every_part(ensemble: str, engine: str) -> None:
        async with servers_behind(engine, ensemble, options) as servers:
            if {"load", "kill"} & set(options.parts) or options.soak_s or options.burst:
                found: dict[str, Any] = {"engine": engine, "ensemble": ensemble}
                if servers is not None:
                    found["servers"] = [placed.name for placed in servers.placed]
                report["service"].append(found)
                await attempt(ensemble, engine, under_load(found, options, limit_s, servers))
            if "overhead" in options.parts:
                await attempt(ensemble, engine, beside(ensemble, engine))

    for engine in options.engines:
        if (engine == "vllm" or starts_servers(engine)) and not has_vllm():
            reason = "vLLM is not installed; docker/install.sh cpu does it"
            report["skipped"].append({"engine": engine, "reason": reason})
            continue
        for ensemble in options.ensembles:
            await attempt(ensemble, engine, every_part(ensemble, engine))
    for found in [*report["service"], *report["overhead"]]:
        found["aims"] = check_aims(measured(found, limit_s), AIMS)
    return report


def read_options(arguments: Sequence[str] | None = None) -> ServeOptions:
    parser = argument_parser("serve", __doc__)
    add = parser.add_argument
    add("--engine", dest="engines", nargs="+", choices=ENGINES, default=["transformers", "vllm"])
    add("--ensemble", dest="ensembles", nargs="+", default=["default", "starter"], help="names or folders")
    add("--parts", nargs="*", choices=PARTS, default=list(PARTS))
    add("--seconds", type=positive(float), default=60.0, help="of each open loop")
    add(
        "--soak", dest="soak_s", type=at_least(float, 0), default=0.0, metavar="SECONDS", help="of load, memory watched"
    )
    add("--burst", type=at_least(int, 0), default=0, metavar="REQUESTS", help="at once, each on its own connection")
    add("--clients", type=positive(int), default=Scale.clients, help="beside the engine called directly")
    add("--replicas", type=positive(int), default=ServeOptions.replicas, help="servers of each model, with remote")
    add("--quick", action="store_true", help="seconds of everything: to see that it runs")
    add("--seed", type=int, default=0)
    given = vars(parser.parse_args(arguments))
    scale = Scale(clients=given.pop("clients"))
    if given.pop("quick"):
        scale = Scale(clients=2, rounds=2, questions=4, alone=4)
        given["seconds"] = min(given["seconds"], 2.0)
    return ServeOptions(scale=scale, **given)


def main() -> None:
    options = read_options()
    allow_open_files()
    report = run_with_servers(measure(options))
    found = [*report["service"], *report["overhead"]]
    print_report(report, {f"{part['ensemble']} on {part['engine']}": part for part in found})


if __name__ == "__main__":
    main()
