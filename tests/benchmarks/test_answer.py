"""The benchmark of an answer, on the tiny model: its JSON holds together."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tiny_checkpoint import write_tiny_checkpoint

from benchmarks.answer import MIN_QUESTIONS, measure
from benchmarks.in_process import MAX_DIFFERENCE_NATS


def test_the_report_is_json_with_every_way_at_every_number_of_clients(tmp_path: Path) -> None:
    report = asyncio.run(measure(str(write_tiny_checkpoint(tmp_path / "model")), MIN_QUESTIONS, (1, 2), 0))
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    runs = report["runs"]
    assert set(runs) == {"letter_service", "letter_engine", "cloze_service", "cloze_engine", "plain_generate"}
    assert all([run["clients"] for run in way] == [1, 2] for way in runs.values())
    assert all(run["questions_per_s"] > 0 for way in runs.values() for run in way)
    assert 0 <= report["cloze"]["max_difference_nats"] <= MAX_DIFFERENCE_NATS
    assert report["ratios"]["letter_over_plain_generate_1_client"] == pytest.approx(
        runs["letter_service"][0]["questions_per_s"] / runs["plain_generate"][0]["questions_per_s"]
    )
    # 32 clients are not asked for here.
    assert set(report["aims"]) == {
        "service_added_ms_p50",
        "letter_over_plain_generate_1_client",
        "cloze_shared_over_scratch",
    }
