"""The benchmark of `aiac data build`, on 400 rows."""

from __future__ import annotations

import json
from itertools import islice

import pytest

from benchmarks.curation import AIMS, made_rows, main


def test_made_rows_are_distinct_and_the_same_for_the_same_seed() -> None:
    rows = list(made_rows(500, seed=4))
    assert len({row["question"] for row in rows}) == 500
    assert all(len(set(row["choices"])) == 4 for row in rows)
    assert rows[:20] == list(islice(made_rows(500, seed=4), 20))
    assert rows[:20] != list(made_rows(20, seed=5))


def test_every_row_is_built_and_counted_in_a_process_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    held = b"x" * 1_000_000_000
    main(["--rows", "400", "--seed", "3"])
    found = json.loads(capsys.readouterr().out)
    counts = found["counts"]
    assert counts["read"] == 400 == counts["train"] + counts["validation"] + sum(counts["dropped"].values())
    # No two are alike, nor like an evaluation row: all go through every comparison.
    assert (counts["dropped"], counts["evaluation"], counts["largest_group"]) == ({}, 8, 1)
    assert found["rows_per_s"] == pytest.approx(400 / found["wall_s"])
    assert found["rows_per_cpu_s"] == pytest.approx(400 / found["cpu_s"])
    # Python with NumPy, PyArrow and matplotlib, and next to nothing for 400 rows: not what this process holds.
    assert 0.05 < found["peak_rss_gb"] < len(held) / 1e9
    assert set(found["aims"]) == set(AIMS)
    assert found["aims"]["peak_rss_gb"] == {"value": found["peak_rss_gb"], "aim": "below 2.0", "met": True}
