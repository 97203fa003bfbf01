"""The serving benchmark: its load and its arithmetic in simulated time, and once for real on a tiny model."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import subprocess
import warnings
from collections.abc import Awaitable, Callable, Mapping
from itertools import accumulate, count, islice, takewhile
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from polling import until
from simulation import run_virtual

from agents.core.errors import BusyError, NotReadyError
from agents.core.prompts import LetterPrompt
from agents.core.schema import Question
from agents.ensemble.base_model import find_or_pull
from agents.ensemble.engine_kinds import placement
from agents.ensemble.loading import load_ensemble
from agents.ensemble.manifest_file import read_manifest
from benchmarks.in_process import BusyClock
from benchmarks.load import AnswerClient, LeanClient, OpenLoop, Outcome, closed_loop, for_seconds, summary
from benchmarks.reporting import library_versions
from benchmarks.sample_questions import questions
from benchmarks.serve import AIMS, Options, measure, measured, read_options
from benchmarks.serve_faults import fault_summary, mb_per_hour, recovery
from benchmarks.serve_load import Bench
from benchmarks.serve_overhead import (
    Scale,
    command_line,
    compare,
    completion_request,
    letters_only,
    require_agreement,
)
from benchmarks.serve_processes import Service, ended_after
from service.problems import problem_response

QUESTION = next(questions(0))
LIMIT_S = 6.0
CLOSING = b"Connection: close"


def answer(votes: int = 2, *, degraded: bool = False) -> dict[str, Any]:
    members = [{"name": str(i), "probabilities": {"A": 1.0} if i < votes else None} for i in range(2)]
    return {"answer": "A", "degraded": degraded, "members": members}


def problem(error: Exception) -> httpx.Response:
    response = problem_response(error, {"path": "/answer"})  # type: ignore[arg-type]
    return httpx.Response(response.status_code, content=bytes(response.body))


def client_of(handler: Callable[[httpx.Request], Any]) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(handler))


def refused_connection(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


async def lean_reply(*replies: bytes) -> list[httpx.Response | str]:
    """What a lean client makes of each reply of a server, which answers one request after the other."""
    told, over = iter(replies), asyncio.Semaphore(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readline():
            length = 0
            while head.strip():
                length = int(head.split(b":")[1]) if head.lower().startswith(b"content-length") else length
                head = await reader.readline()
            await reader.readexactly(length)
            writer.write(reply := next(told))
            if not reply or CLOSING in reply:
                break
        writer.close()
        await writer.wait_closed()
        over.release()

    found: list[httpx.Response | str] = []
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        client = LeanClient(*server.sockets[0].getsockname())
        for reply in replies:
            try:
                found.append(await client.post("/answer?detail=true", json={"question": "é"}))
            except httpx.HTTPError as error:
                found.append(type(error).__name__)
            if CLOSING in reply:
                await over.acquire()
                # The end of the connection has arrived; a turn of the loop reads it.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
        await client.aclose()
        await over.acquire()
    return found


def test_the_lean_client_reads_a_status_and_a_body_and_goes_on_over_the_same_connection():
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    busy = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: x\r\ncontent-length: 3\r\n\r\nbut"
    found = asyncio.run(lean_reply(ok, busy))
    assert [(r.status_code, r.text) for r in found if isinstance(r, httpx.Response)] == [(200, "{}"), (503, "but")]


def test_a_connection_that_the_server_has_closed_since_is_not_asked_again():
    replies = [b"HTTP/1.1 200 OK\r\n%sContent-Length: 1\r\n\r\n%d" % (CLOSING + b"\r\n", i) for i in range(2)]
    replies.append(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2")
    found = asyncio.run(lean_reply(*replies))
    assert [reply.text for reply in found if isinstance(reply, httpx.Response)] == ["0", "1", "2"]


def test_a_server_that_hangs_up_or_speaks_no_http_is_an_http_error_to_the_lean_client():
    assert asyncio.run(lean_reply(b"")) == ["ReadError"]
    assert asyncio.run(lean_reply(b"<html>\r\n\r\n")) == ["ReadError"]


@pytest.mark.parametrize(
    ("handler", "expected", "kind"),
    [
        (lambda request: httpx.Response(200, json=answer()), Outcome(0.0, 200, votes=2), "on_time"),
        (
            lambda request: httpx.Response(200, json=answer(1, degraded=True)),
            Outcome(0.0, 200, degraded=True, votes=1),
            "on_time",
        ),
        (lambda request: problem(BusyError("too much", 2)), Outcome(0.0, 503, busy=True), "refused"),
        (lambda request: problem(NotReadyError("loading")), Outcome(0.0, 503), "unavailable"),
        (lambda request: httpx.Response(500, text="oh"), Outcome(0.0, 500), "server_error"),
        (lambda request: httpx.Response(422, text="oh"), Outcome(0.0, 422), "failed"),
        (refused_connection, Outcome(0.0, 0), "failed"),
    ],
)
def test_what_becomes_of_a_request(handler: Any, expected: Outcome, kind: str) -> None:
    async def ask() -> Outcome:
        async with client_of(handler) as http:
            return await AnswerClient(http, "http://service").ask(QUESTION)

    found = run_virtual(ask())
    assert found == expected
    assert found.kind(LIMIT_S) == kind


def test_an_answer_after_the_limit_is_late() -> None:
    assert Outcome(6.0, 200).kind(LIMIT_S) == "on_time"
    assert Outcome(6.001, 200).kind(LIMIT_S) == "late"


def test_shares_and_percentiles_are_those_computed_by_hand() -> None:
    answered = [Outcome(i / 10, 200, votes=1) for i in range(1, 11)]  # 0.1 to 1.0 s
    outcomes = [
        *answered,
        Outcome(5.0, 200, degraded=True, votes=0),
        Outcome(7.0, 200, votes=2),
        Outcome(0.01, 503, busy=True),
        Outcome(0.01, 503, busy=True),
        Outcome(0.01, 503),
        Outcome(0.01, 500),
    ]
    found = summary(outcomes, LIMIT_S, elapsed_s=8.0)
    assert found["questions"] == 16
    assert found["answered_per_s"] == 12 / 8
    # Nearest rank of twelve: the 6th, and twice the 12th.
    assert found["latency_ms"] == pytest.approx({"p50": 600, "p95": 7000, "p99": 7000})
    assert found["counts"] == {
        "on_time": 11, "late": 1, "refused": 2, "unavailable": 1, "server_error": 1, "failed": 0
    }  # fmt: skip
    assert found["shares"] == {
        "on_time": 11 / 16, "late": 1 / 16, "refused": 2 / 16, "unavailable": 1 / 16, "server_error": 1 / 16,
        "failed": 0, "degraded": 1 / 16, "answered_by_a_member": 10 / 14,
    }  # fmt: skip


def test_a_load_in_which_nothing_was_answered_has_no_latency() -> None:
    found = summary([Outcome(0.0, 503, busy=True)], LIMIT_S, elapsed_s=1.0)
    assert found["latency_ms"] is None
    assert found["shares"]["answered_by_a_member"] is None
    assert found["shares"]["refused"] == 1.0


def test_failures_are_counted_apart_from_refusals_and_answers_without_a_vote() -> None:
    outcomes = [
        Outcome(1.0, 200, degraded=True), Outcome(1.0, 200, votes=1), Outcome(0.0, 503, busy=True),
        Outcome(0.0, 503), Outcome(0.0, 500), Outcome(0.0, 0),
    ]  # fmt: skip
    found = fault_summary(outcomes, LIMIT_S, 1.0)
    assert (found["failed_requests"], found["answers_without_a_vote"]) == (3, 1)


def test_a_closed_loop_for_seconds_asks_until_they_are_over_and_counts_every_answer() -> None:
    async def half_a_second(question: Question) -> None:
        await asyncio.sleep(0.5)

    async def run() -> dict[str, Any]:
        return await closed_loop(half_a_second, for_seconds(questions(0), 10.0), 4)

    found = run_virtual(run())
    assert found["questions"] == 80
    assert found["questions_per_s"] == pytest.approx(8.0)
    assert found["latency_ms"] == pytest.approx({"p50": 500, "p95": 500, "p99": 500})


def test_a_closed_loop_ends_early_when_it_is_told_to() -> None:
    seen: list[Question] = []

    async def ask(question: Question) -> None:
        seen.append(question)
        await asyncio.sleep(1.0)

    async def run() -> None:
        await closed_loop(ask, for_seconds(questions(0), 100.0, lambda: len(seen) < 3), 1)

    run_virtual(run())
    assert len(seen) == 3


def arrivals(seed: int, rate_per_s: float, seconds: float) -> list[float]:
    """The times of a Poisson process, the sums of exponential gaps."""
    draw = random.Random(seed)
    return list(takewhile(lambda at: at < seconds, accumulate(draw.expovariate(rate_per_s) for _ in count())))


def test_an_open_loop_asks_at_the_times_drawn_whether_or_not_anything_is_answered() -> None:
    asked_at: list[float] = []

    async def run() -> list[Outcome]:
        loop, released = asyncio.get_running_loop(), asyncio.Event()

        async def ask(question: Question) -> Outcome:
            asked_at.append(loop.time())
            await released.wait()
            return Outcome(0.0, 200)

        load = OpenLoop(ask, 2.0, random.Random(7))
        await load.offer(questions(0), 30.0)
        assert loop.time() == pytest.approx(30.0)
        released.set()
        return await load.finish()

    outcomes = run_virtual(run())
    due = arrivals(7, 2.0, 30.0)
    assert asked_at == pytest.approx(due)
    assert [outcome.latency_s for outcome in outcomes] == pytest.approx([30.0 - at for at in due])


def test_an_open_loop_that_is_cancelled_keeps_what_it_asked() -> None:
    async def run() -> int:
        async def ask(question: Question) -> Outcome:
            await asyncio.sleep(1.0)
            return Outcome(1.0, 200)

        load = OpenLoop(ask, 5.0, random.Random(1))
        offering = asyncio.create_task(load.offer(questions(0), float("inf")))
        await asyncio.sleep(10.0)
        offering.cancel()
        return len(await load.finish())

    assert run_virtual(run()) == len(arrivals(1, 5.0, 10.0))


class OneAtATime:
    """A service that takes half a second a question, one after the other, and lets in no more than eight."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._turn = asyncio.Lock()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/metrics":
            return httpx.Response(200, text=f"# TYPE aiac_in_flight gauge\naiac_in_flight {float(self.in_flight)}\n")
        if self.in_flight >= 8:
            return problem(BusyError("too much", 1))
        self.in_flight += 1
        async with self._turn:
            await asyncio.sleep(0.5)
        self.in_flight -= 1
        return httpx.Response(200, json=answer())


def on_a_simulated_service(work: Callable[[Bench], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        async with client_of(OneAtATime()) as http:
            service = Service("http://service", psutil.Process())
            client = AnswerClient(http, service.url)
            return await work(Bench(service, http, client, questions(0), LIMIT_S, count()))

    return run_virtual(run())


def test_the_capacity_is_the_most_complete_answers_a_second() -> None:
    found = on_a_simulated_service(lambda bench: bench.capacity(20.0))
    assert found["questions_per_s"] == pytest.approx(2.0)
    # One client is as fast as two and four, and twice without a gain is enough.
    assert [(step["clients"], step["complete"]) for step in found["steps"]] == [(1, True), (2, True), (4, True)]


def test_twice_the_capacity_is_refused_in_part_and_drains() -> None:
    found = on_a_simulated_service(lambda bench: bench.load(4.0, 60.0))
    counts = found["counts"]
    assert counts["on_time"] + counts["refused"] == found["questions"]
    # Two a second for sixty seconds, and the eight that are in flight when the load stops.
    assert counts["on_time"] == pytest.approx(128, abs=2)
    assert found["drain_s"] == pytest.approx(4.0, abs=0.6)
    assert found["latency_ms"]["p99"] <= 4_000.001
    assert found["shares"]["answered_by_a_member"] == 1.0


def test_a_service_that_cannot_answer_one_client_has_no_capacity() -> None:
    async def cut_short(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(5.5)
        return httpx.Response(200, json=answer(1, degraded=True))

    async def run() -> None:
        async with client_of(cut_short) as http:
            client = AnswerClient(http, "http://service")
            bench = Bench(Service("http://service", psutil.Process()), http, client, questions(0), LIMIT_S, count())
            await bench.capacity(1.0)

    with pytest.raises(RuntimeError, match="not even one client"):
        run_virtual(run())


def test_recovery_is_timed_from_the_kill_to_the_loss_and_to_the_return() -> None:
    async def run(lost_s: float, back_s: float) -> tuple[float | None, float | None]:
        loop = asyncio.get_running_loop()

        async def ready() -> Mapping[str, bool]:
            return {"one": not lost_s <= loop.time() < back_s, "two": True}

        return await recovery(ready)

    assert run_virtual(run(2.0, 40.0)) == pytest.approx((2.0, 40.0), abs=0.21)
    assert run_virtual(run(2.0, 10_000.0))[1] is None
    assert run_virtual(run(10_000.0, 20_000.0)) == (None, None)


def test_a_service_that_is_not_ready_at_all_has_lost_its_members() -> None:
    async def run() -> tuple[float | None, float | None]:
        replies = iter([{"one": True}, {}, {"one": False}, {"one": True}])

        async def ready() -> Mapping[str, bool]:
            return next(replies)

        return await recovery(ready)

    assert run_virtual(run()) == pytest.approx((0.2, 0.6))


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_server_is_ended_together_with_what_it_left_behind() -> None:
    # As vLLM's workers do when their engine is killed: the one in the middle goes, and the last one stays.
    script = "bash -c 'sleep 600 & echo $!' ; sleep 600"

    async def run() -> None:
        async with ended_after(["bash", "-c", script], stdout=subprocess.PIPE) as started:
            assert started.stdout is not None
            orphan = int(await started.stdout.readline())
            assert is_running(orphan)
            # In one session with this process, or Linux would share the processors out between the two of them first.
            assert os.getsid(started.pid) == os.getsid(0)
        await until(lambda: not is_running(orphan))
        assert started.returncode is not None

    asyncio.run(run())


def test_a_server_that_had_ended_before_leaves_no_pipe_to_the_collector() -> None:
    async def run() -> None:
        async with ended_after(["bash", "-c", "sleep 600 &"], stdout=subprocess.PIPE) as started:
            await until(lambda: started.returncode is not None)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(run())
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


def test_memory_growth_is_the_slope_of_a_line() -> None:
    samples = [{"after_s": 1800.0 * i, "service": 100e6 + 10e6 * i, "engines": 5e8} for i in range(4)]
    assert mb_per_hour(samples, "service") == pytest.approx(20.0)
    assert mb_per_hour(samples, "engines") == pytest.approx(0.0)
    assert mb_per_hour(samples[:1], "service") is None


def test_ways_are_compared_on_the_same_number_of_questions_and_one_client_tells_what_is_added() -> None:
    async def run() -> dict[str, Any]:
        clock = BusyClock()
        asked = {"engine": 0, "service": 0}

        async def engine(question: Question) -> None:
            asked["engine"] += 1
            await clock.timed(asyncio.sleep(0.8))

        async def service(question: Question) -> None:
            asked["service"] += 1
            await asyncio.gather(clock.timed(asyncio.sleep(0.8)), clock.timed(asyncio.sleep(0.5)))
            await asyncio.sleep(0.2)

        found = await compare(engine, service, clock, Scale(clients=4, rounds=2, questions=8, alone=3), questions(0))
        # A warm-up, two rounds, one client; the service once more for what it adds, with a warm-up of its own.
        assert asked == {"engine": 4 + 2 * 8 + 3, "service": 4 + 2 * 8 + 3 + 4}
        return found

    found = run_virtual(run())
    assert found["questions_per_s"] == pytest.approx({"engine": 5.0, "service": 4.0})
    assert found["ratios"] == pytest.approx({"service_over_engine_throughput": 0.8})
    assert found["ratios_by_round"] == pytest.approx([0.8, 0.8])
    assert found["service_added_ms"] == pytest.approx({"requests": 3, "p50": 200, "p95": 200, "p99": 200})


@pytest.mark.parametrize("found", [[-1.0, -2.1], [-1.0, float("nan")]])
def test_a_vllm_serve_that_computes_something_else_is_no_comparison(found: list[float]) -> None:
    require_agreement("m", [-1.0, -2.0], [-1.0, -2.0009])
    with pytest.raises(RuntimeError, match="differ on m: "):
        require_agreement("m", [-1.0, -2.0], found)


def test_calls_that_overlap_are_counted_once() -> None:
    async def run() -> float:
        clock = BusyClock()

        async def later(start_s: float, seconds: float) -> None:
            await asyncio.sleep(start_s)
            await clock.timed(asyncio.sleep(seconds))

        await asyncio.gather(later(0.0, 2.0), later(1.0, 3.0), later(10.0, 1.0))
        return clock.busy_s

    assert run_virtual(run()) == pytest.approx(5.0)


def test_vllm_serve_gets_the_arguments_of_the_engine() -> None:
    arguments = {"model": "m", "dtype": "float32", "max_num_seqs": 8, "enforce_eager": True, "use_tqdm_on_load": False}
    options = command_line(arguments, {"lora": Path("/adapters/lora")})
    assert options[-2:] == ["--lora-modules", "lora=/adapters/lora"]
    assert options[3:-2] == [
        "--dtype", "float32", "--max-num-seqs", "8", "--enforce-eager", "--no-use-tqdm-on-load"
    ]  # fmt: skip
    assert "--lora-modules" not in command_line(arguments, {})


def test_vllm_serve_is_asked_for_one_token_and_the_labels() -> None:
    request = completion_request("m", LetterPrompt([5, 6, 7], [65, 66, 67]))
    assert (request["prompt"], request["max_tokens"], request["logprob_token_ids"]) == ([5, 6, 7], 1, [65, 66, 67])


def test_for_the_comparison_members_are_asked_for_one_letter_and_keep_their_weights(
    tiny_ensemble: Path, tmp_path: Path
) -> None:
    copy = letters_only(str(tiny_ensemble), tmp_path / "copy")
    before = {member.name: member for member in read_manifest(tiny_ensemble).members}
    members = read_manifest(copy).members
    assert [(m.name, m.method, m.orders) for m in members] == [("plain", "letter", 1), ("tuned", "letter", 1)]
    assert all(member.weight == before[member.name].weight for member in members)

    async def steps() -> list[int]:
        loaded = await load_ensemble(copy, find_or_pull, placement("transformers"))
        try:
            return [voter.steps(QUESTION) for voter in loaded.answerer.voters]
        finally:
            await loaded.close()

    assert asyncio.run(steps()) == [1, 1]


def options_for(*engines: str, ensemble: str = "default", **fields: Any) -> Options:
    given: dict[str, Any] = {"parts": ("load", "overhead"), "seconds": 0.5, "soak_s": 0.5, "burst": 200}
    scale = Scale(clients=2, rounds=2, questions=2, alone=2)
    return Options(engines=engines, ensembles=[ensemble], scale=scale, seed=0, **(given | fields))


def test_the_report_is_json_with_every_measurement_beside_its_aim(tiny_ensemble: Path) -> None:
    report = asyncio.run(measure(options_for("transformers", ensemble=str(tiny_ensemble))))
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert (report["errors"], report["skipped"]) == ([], [])
    assert report["versions"] == library_versions()
    assert report["machine"]["device"]
    [found] = report["service"]
    assert found["capacity"]["questions_per_s"] > 0
    assert [run["times"] for run in found["open_loop"]] == [0.5, 1.0, 2.0]
    for run in found["open_loop"]:
        assert sum(run["counts"].values()) == run["questions"]
        assert run["counts"]["failed"] == run["counts"]["server_error"] == 0
    memory = found["soak"]["rss_bytes"]
    assert memory["before"]["service"] > 0
    assert len(memory["during"]) >= 2
    burst = found["burst"]
    assert burst["complete_after"]
    assert burst["failed_requests"] == 0
    assert sum(burst["counts"].values()) == burst["questions"] == 200
    [beside] = report["overhead"]
    assert beside["members"] == ["plain", "tuned"]
    assert set(beside["runs"]) == {"engine", "service"}
    assert beside["service_added_ms"]["p50"] > 0
    assert beside["one_engine"]["members"] == 2
    assert beside["one_engine"]["all_over_one"] > 0
    judged = {name for each in (found, beside) for name in each["aims"]}
    unjudged = set() if beside["one_engine"]["on_gpu"] else {"members_of_one_engine_over_one"}
    assert judged == set(AIMS) - {"failed_requests_after_kill"} - unjudged


def test_without_vllm_the_report_says_so() -> None:
    report = asyncio.run(measure(options_for("vllm"), has_vllm=lambda: False))
    assert (report["service"], report["overhead"]) == ([], [])
    assert report["skipped"] == [{"engine": "vllm", "reason": "vLLM is not installed; docker/install.sh cpu does it"}]


def test_an_ensemble_that_does_not_start_is_an_error_in_the_report() -> None:
    report = asyncio.run(measure(options_for("transformers", ensemble="no-such-ensemble", parts=("load",))))
    [error] = report["errors"]
    assert error["ensemble"] == "no-such-ensemble"
    assert "ended before it was ready" in error["error"]


def test_what_there_are_aims_for_is_taken_from_the_run_at_twice_the_capacity_and_the_kill() -> None:
    outcomes = [Outcome(1.0, 200, votes=1), Outcome(9.0, 200, votes=1), Outcome(0.0, 500)]
    run = {"times": 2.0, "drain_s": 3.0, **summary(outcomes, LIMIT_S, 9.0)}
    other = {"times": 1.0, "drain_s": 100.0, **summary([], LIMIT_S, 9.0)}
    burst = fault_summary([Outcome(7.0, 200), Outcome(0.1, 503, busy=True), Outcome(0.1, 0)], LIMIT_S, 9.0)
    found = {"open_loop": [other, run], "kill": {"failed_requests": 2}, "burst": burst}
    assert measured(found, LIMIT_S) == {
        "late_at_2x": 1,
        "server_errors_at_2x": 1,
        "answered_by_a_member_at_2x": 1 / 3,
        "drain_limits_at_2x": 0.5,
        "failed_requests_after_kill": 2,
        "late_in_burst": 1,
        "failed_requests_in_burst": 1,
    }
    assert measured({"kill": {"skipped": "one engine"}}, LIMIT_S) == {}


@pytest.mark.parametrize(("on_gpu", "judged"), [(True, {"members_of_one_engine_over_one": 1.3}), (False, {})])
def test_what_three_adapters_cost_over_one_has_an_aim_on_a_gpu_alone(on_gpu: bool, judged: dict[str, float]) -> None:
    assert measured({"one_engine": {"on_gpu": on_gpu, "all_over_one": 1.3}}, LIMIT_S) == judged


def test_quick_shortens_everything_and_bad_lengths_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    quick = read_options(["--quick", "--engine", "vllm", "--ensemble", "starter"])
    assert quick.seconds == 2.0
    assert quick.scale.questions < read_options([]).scale.questions
    assert (quick.engines, quick.ensembles) == (["vllm"], ["starter"])
    with pytest.raises(SystemExit):
        read_options(["--seconds", "0"])
    assert "--seconds: found 0; expected a positive number" in capsys.readouterr().err


def test_the_questions_of_one_run_are_not_those_of_another() -> None:
    assert not set(islice(questions(0), 500)) & set(islice(questions(1), 500))
