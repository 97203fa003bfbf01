"""Deadlines as objects to pass down, and the policy that sets them from an edition's limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

Clock = Callable[[], float]

MARGIN_SECONDS = 0.5
"""Taken off an edition's limit, for what happens between our last instruction and the referee's clock."""


@dataclass(frozen=True)
class Deadline:
    """A moment on a monotonic clock. ``at_s`` may be infinite: then it never expires."""

    at_s: float
    clock: Clock = time.monotonic

    @classmethod
    def after(cls, seconds: float, clock: Clock = time.monotonic) -> Deadline:
        """The moment ``seconds`` from now."""
        return cls(clock() + seconds, clock)

    @classmethod
    def never(cls) -> Deadline:
        return cls(float("inf"))

    def remaining_s(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at_s - self.clock())

    @property
    def expired(self) -> bool:
        return self.clock() >= self.at_s

    def earlier_of(self, other: Deadline) -> Deadline:
        """Whichever comes first; both must read the same clock."""
        return self if self.at_s <= other.at_s else other


@dataclass(frozen=True)
class DeadlinePolicy:
    """Set deadlines: an edition's limit for one question or answer, less a margin.

    Organisers allow N × the limit for N of them, so number i (from 0) is due after (i + 1) × the limit, less the
    margin. So later ones of a batch have more time.
    """

    limit_s: float
    margin_s: float = MARGIN_SECONDS

    @property
    def seconds(self) -> float:
        """Seconds for the first."""
        return self.limit_s - self.margin_s

    def deadline(self, start_s: float, position: int = 0) -> Deadline:
        """Return the deadline of number ``position``; ``start_s`` is a time of ``time.monotonic``."""
        return Deadline(start_s + position * self.limit_s + self.seconds)

    def from_now(self, position: int = 0) -> Deadline:
        """Return the deadline of number ``position`` if the limit starts to run now."""
        return self.deadline(time.monotonic(), position)
