"""A deadline on a clock that the test moves."""

from __future__ import annotations

import time

from agents.core.deadline import Deadline


class FakeClock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_remaining_time_runs_down_and_stops_at_zero() -> None:
    clock = FakeClock()
    deadline = Deadline.after(6, clock)
    assert (deadline.at_s, deadline.remaining_s(), deadline.expired) == (106.0, 6.0, False)
    clock.now_s = 105.5
    assert (deadline.remaining_s(), deadline.expired) == (0.5, False)
    clock.now_s = 200.0
    assert (deadline.remaining_s(), deadline.expired) == (0.0, True)


def test_a_deadline_has_expired_at_its_moment() -> None:
    clock = FakeClock()
    deadline = Deadline.after(1, clock)
    clock.now_s = 101.0
    assert deadline.expired


def test_never_does_not_expire() -> None:
    deadline = Deadline.never()
    assert not deadline.expired
    assert deadline.remaining_s() == float("inf")


def test_the_earlier_of_two_is_the_same_either_way_round() -> None:
    clock = FakeClock()
    soon, later = Deadline.after(1, clock), Deadline.after(2, clock)
    assert soon.earlier_of(later) is soon
    assert later.earlier_of(soon) is soon
    assert Deadline(float("inf"), clock).earlier_of(later) is later


def test_the_clock_is_monotonic_unless_another_is_given() -> None:
    assert Deadline.after(1).clock is time.monotonic
