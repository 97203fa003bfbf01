"""A deadline on a clock that the test moves."""

from __future__ import annotations

import time

from agents.core.deadline import Deadline, DeadlinePolicy


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


def test_number_i_is_due_after_i_plus_one_limits_less_one_margin() -> None:
    policy = DeadlinePolicy(limit_s=6.0)
    assert policy.seconds == 5.5
    assert [policy.deadline(100.0, position).at_s for position in range(3)] == [105.5, 111.5, 117.5]
    before_s = time.monotonic()
    due = DeadlinePolicy(9.0, margin_s=1.0).from_now(1)
    assert before_s + 17.0 <= due.at_s <= time.monotonic() + 17.0
