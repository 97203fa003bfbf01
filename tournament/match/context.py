"""The state that all parts of refereeing share: the rules, the clock, the log and the board."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from agents.core.deadline import Clock
from agents.core.edition import Edition
from agents.core.rules import CountTokens
from tournament.match.description import MatchDescription
from tournament.match.events import Event, RunFinished, Side
from tournament.match.log import EventLog
from tournament.match.scoreboard import Scoreboard
from tournament.match.withholding import as_logged
from tournament.teams.protocol import PATIENCE_S, Batch, Fault, TeamFaultError

Observe = Callable[[Event, Scoreboard], None]


@dataclass(frozen=True)
class Delivered:
    """The result of one call of a team. ``value`` is None where there is a fault."""

    value: Any
    fault: Fault | None
    elapsed_s: float


@dataclass
class MatchContext:
    """Everything that refereeing one match needs."""

    description: MatchDescription
    log: EventLog
    board: Scoreboard
    observe: Observe = lambda event, board: None
    clock: Clock = time.monotonic
    now: Clock = time.time
    patience_s: float = PATIENCE_S

    @property
    def edition(self) -> Edition:
        return self.description.edition

    @property
    def count_tokens(self) -> CountTokens:
        return self.description.tokens.count

    def record(self, *events: Event) -> None:
        """Logs events, then takes them into the board and shows them. Raises FileError when the log is full.

        The keys of questions are not logged: see ``withholding``.
        """
        self.log.append([as_logged(event) for event in events])
        for event in events:
            self.board.apply(event)
            self.observe(event, self.board)

    def timed(self, call: Callable[[float], Any], limit_s: float) -> Delivered:
        """What ``call`` returns when given how long it may take, and how long it took by this clock."""
        return timed(lambda: call(limit_s + self.patience_s), self.clock)

    def timed_run(self, call: Callable[[], Batch]) -> tuple[Batch, float]:
        """What a run came to, and how long it took by this clock."""
        started = self.clock()
        return call(), self.clock() - started


def timed(call: Callable[[], Any], clock: Clock) -> Delivered:
    """What a call of a team returns or faults with, and how long that took by ``clock``."""
    started = clock()
    try:
        value, fault = call(), None
    except TeamFaultError as error:
        value, fault = None, error.fault
    return Delivered(value, fault, clock() - started)


def run_event(
    context: MatchContext,
    side: Side,
    innings: int,
    phase: Literal["questions", "answers"],
    batch: Batch,
    elapsed_s: float,
    limit_s: float,
) -> RunFinished:
    """A folder's run as an event."""
    return RunFinished(
        at_s=context.now(),
        side=side,
        innings=innings,
        phase=phase,
        elapsed_s=elapsed_s,
        limit_s=limit_s,
        exit_code=batch.exit_code,
        output_bytes=batch.output_bytes,
        output_tail=batch.output_tail,
        notes=list(batch.notes),
    )
