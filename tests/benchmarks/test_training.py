"""The training benchmark on the tiny model: its JSON holds together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_checkpoint import write_tiny_checkpoint

from benchmarks.training import AIMS, measure


def test_the_report_is_json_with_every_ratio_beside_its_aim(tmp_path: Path) -> None:
    report = measure(str(write_tiny_checkpoint(tmp_path / "model")), 2, 0)
    json.dumps(report, allow_nan=False)
    rates = report["rows_per_s"]
    assert all(rate > 0 for rate in rates.values())
    assert report["ratios"]["packed_over_one_by_one"] == pytest.approx(rates["lora_packed"] / rates["lora_one_by_one"])
    assert report["ratios"]["dora_over_lora_time"] == pytest.approx(rates["lora_packed"] / rates["dora_packed"])
    assert report["ratios"]["sft_over_bare_trainer"] == pytest.approx(
        rates["ours_trainer_sft"] / rates["bare_trainer_sft"]
    )
    for name, (direction, bound) in AIMS.items():
        aim = report["aims"][name]
        assert aim["met"] == (aim["value"] >= bound if direction == "at least" else aim["value"] <= bound)
