"""The serving benchmark: its aims and options, and once for real on a tiny model."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.clients import RequestResult
from benchmarks.load import summary
from benchmarks.reporting import library_versions
from benchmarks.serve import AIMS, ServeOptions, measure, measured, read_options
from benchmarks.serve_faults import fault_summary
from benchmarks.serve_overhead import Scale

LIMIT_S = 6.0


def options_for(*engines: str, ensemble: str = "default", **fields: Any) -> ServeOptions:
    given: dict[str, Any] = {"parts": ("load", "overhead"), "seconds": 0.5, "soak_s": 0.5, "burst": 200}
    scale = Scale(clients=2, rounds=2, questions=2, alone=2)
    return ServeOptions(engines=engines, ensembles=[ensemble], scale=scale, seed=0, **(given | fields))


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
    results = [RequestResult(1.0, 200, votes=1), RequestResult(9.0, 200, votes=1), RequestResult(0.0, 500)]
    run = {"times": 2.0, "drain_s": 3.0, **summary(results, LIMIT_S, 9.0)}
    other = {"times": 1.0, "drain_s": 100.0, **summary([], LIMIT_S, 9.0)}
    burst = fault_summary(
        [RequestResult(7.0, 200), RequestResult(0.1, 503, busy=True), RequestResult(0.1, 0)], LIMIT_S, 9.0
    )
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
