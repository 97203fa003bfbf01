"""Aims beside measurements."""

from __future__ import annotations

from benchmarks.answer import AIMS
from benchmarks.reporting import check_aims


def test_an_aim_is_met_on_its_own_side_of_its_bound() -> None:
    at_bound = check_aims({name: bound for name, (_, bound) in AIMS.items()}, AIMS)
    assert [aim["met"] for aim in at_bound.values()] == [False, True, True, True]
    below = check_aims({name: bound - 0.01 for name, (_, bound) in AIMS.items()}, AIMS)
    assert [aim["met"] for aim in below.values()] == [True, False, False, False]
