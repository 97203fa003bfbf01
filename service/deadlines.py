"""When a request's answer is due: the moment it arrived + the edition's limit − a margin, or sooner if it asks."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agents.core.deadline import Deadline
from agents.core.errors import InputError, describe

HEADER = "X-Deadline-Ms"
MAX_DEADLINE_MS = 600_000


@dataclass(frozen=True)
class DeadlinePolicy:
    """An edition's seconds for one answer, and the seconds taken off for the network and the referee's clock."""

    limit_s: float
    margin_s: float

    def deadline(self, arrived_s: float, requested_ms: int | None, position: int = 0) -> Deadline:
        """The deadline of question number ``position`` (from 0) of a request that arrived at ``arrived_s``.

        Organisers allow N × the limit for N questions, so question i is due after (i + 1) × the limit, less the margin.
        ``requested_ms`` counts from the arrival, bounds the whole request, and may only shorten. ``arrived_s`` is a
        time of ``time.monotonic``.

        Since later questions of a batch have more time, admission does not refuse a batch: a question that comes late
        to a long queue is asked of fewer members, and only one whose turn comes too late gets the prior's answer.
        """
        due = Deadline(arrived_s + (position + 1) * self.limit_s - self.margin_s)
        return due if requested_ms is None else due.earlier_of(Deadline(arrived_s + requested_ms / 1000))


def read_deadline_ms(header: str | None) -> int | None:
    """The milliseconds in the header's text, None without one. Raises InputError that names the header."""
    if header is None:
        return None
    value = int(header) if re.fullmatch("[0-9]{1,9}", header) else 0
    if not 1 <= value <= MAX_DEADLINE_MS:
        raise InputError(HEADER, describe(header), f"a whole number of milliseconds from 1 to {MAX_DEADLINE_MS:,}")
    return value
