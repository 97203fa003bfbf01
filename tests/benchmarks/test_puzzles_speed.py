"""Counts and speeds of benchmarks.puzzles_speed."""

from __future__ import annotations

import json
from statistics import fmean

import pytest

from benchmarks.puzzles_speed import AIM_PER_S, distinct, main
from puzzles import FAMILIES, LEVELS, generate


def test_a_structure_that_came_before_is_not_counted_again() -> None:
    first, again = generate("syllogism", "medium", 43), generate("syllogism", "medium", 49)
    assert first.fingerprint == again.fingerprint
    assert (distinct("syllogism", 49), distinct("syllogism", 50)) == (49, 49)


def test_the_mean_at_medium_is_set_beside_the_aim(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--number", "3", "--draws", "3"])
    report = json.loads(capsys.readouterr().out)
    speeds = report["puzzles_per_cpu_s"]
    assert set(speeds) == set(FAMILIES)
    assert all(set(speed) == {*LEVELS, "verified"} for speed in speeds.values())
    assert report["medium_mean"] == pytest.approx(fmean(speed["medium"] for speed in speeds.values()), abs=0.06)
    assert report["reached"] == (report["medium_mean"] >= AIM_PER_S == report["aim"])
    assert report["structures"] == {"draws": 3, "distinct": dict.fromkeys(FAMILIES, 3)}
