"""The clock of an engine at work, and the agreement of two ways."""

from __future__ import annotations

import asyncio

import pytest
from simulation import run_virtual

from benchmarks.in_process import BusyClock, require_agreement


@pytest.mark.parametrize("found", [[-1.0, -2.1], [-1.0, float("nan")]])
def test_ways_that_do_not_compute_the_same_are_no_comparison(found: list[float]) -> None:
    assert require_agreement("the two ways", [-1.0, -2.0], [-1.0, -2.0009]) == pytest.approx(0.0009)
    with pytest.raises(RuntimeError, match="the two ways differ: "):
        require_agreement("the two ways", [-1.0, -2.0], found)


def test_calls_that_overlap_are_counted_once() -> None:
    async def run() -> float:
        clock = BusyClock()

        async def later(start_s: float, seconds: float) -> None:
            await asyncio.sleep(start_s)
            await clock.timed(asyncio.sleep(seconds))

        await asyncio.gather(later(0.0, 2.0), later(1.0, 3.0), later(10.0, 1.0))
        return clock.busy_s

    assert run_virtual(run()) == pytest.approx(5.0)
