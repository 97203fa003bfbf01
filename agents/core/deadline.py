"""Remaining time, as a thing to pass down instead of loose seconds."""

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
