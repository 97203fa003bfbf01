"""A match as it is played, and its tables at the end, on a terminal. What teams wrote is escaped: it is not ours."""

from __future__ import annotations

import time
from collections import Counter
from types import TracebackType
from typing import TYPE_CHECKING

from agents.core.deadline import Clock
from tournament.match.events import SIDES, Event, Side
from tournament.match.scoreboard import Innings, Scoreboard
from tournament.untrusted import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

    from agents.core.edition import Edition
    from tournament.league import League

REFRESH_S = 1.0
"""Drawing costs as much as several questions do."""


class MatchView:
    """A table that follows the match on a terminal; elsewhere a line an innings."""

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._live: Live | None = None
        self._drawn_s = -REFRESH_S

    def __enter__(self) -> MatchView:
        if self._console.is_terminal:
            from rich.live import Live

            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def observe(self, event: Event, board: Scoreboard) -> None:
        if self._live is not None:
            if self._clock() - self._drawn_s >= REFRESH_S:
                self._drawn_s = self._clock()
                self._live.update(live_table(board), refresh=True)
        elif event.type == "innings_ended":
            innings = board.innings[event.innings]
            line = f"innings {innings.number}: {innings.valid} valid, {innings.right} answered right"
            self._console.print(line, markup=False, highlight=False)


def live_table(board: Scoreboard) -> Table:
    """A line an innings: how far it is, and how it stands."""
    from rich.table import Table

    wanted = board.started.questions if board.started else 0
    table = Table("Innings", "asks", "answers", "asked", "valid", "answered", "right", "slowest")
    for innings in board.innings.values():
        times = [answer.elapsed_s for answer in innings.answers.values() if answer.elapsed_s is not None]
        table.add_row(
            str(innings.number),
            _name(board, innings.asker),
            _name(board, innings.answerer),
            f"{len(innings.questions)}/{wanted}",
            str(innings.valid) if innings.filtered else "",
            str(len(innings.answers)),
            str(innings.right),
            f"{max(times):.2f} s" if times else "",
        )
    return table


def result_table(board: Scoreboard) -> Table:
    """Both teams: points by innings, what became of their questions and answers, and who won."""
    from rich.table import Table

    winner, reason = board.result()
    who = f"{_name(board, winner)} wins" if winner else "A draw"
    table = Table("Team", "1st", "2nd", "points", "questions", "answers", title=f"{who}: {_safe(reason)}")
    for side in SIDES:
        asking = next(innings for innings in board.innings.values() if innings.asker == side)
        answering = next(innings for innings in board.innings.values() if innings.answerer == side)
        points = [f"{float(innings.points(side)):.2f}" for innings in board.innings.values()]
        table.add_row(
            _name(board, side), *points, f"{float(board.score(side)):.2f}", _questions(asking), _answers(answering)
        )
    return table


def league_tables(league: League, edition: Edition) -> list[Table]:
    """Ratings, points of each against each, and strengths by topic."""
    from rich.table import Table

    ratings = Table("Team", "rating [95%]", "won", "drawn", "lost", title=f"Ratings, {edition.title}")
    for rating in league.ratings:
        interval = f"{rating.rating:.0f} [{rating.low:.0f}, {rating.high:.0f}]"
        ratings.add_row(_safe(rating.team), _safe(interval), str(rating.won), str(rating.drawn), str(rating.lost))
    names = [rating.team for rating in league.ratings]
    heads = Table("Points of … against", *map(_safe, names), title="Head to head")
    for name in names:
        heads.add_row(_safe(name), *(f"{league.points[name, o]:.1f}" if name != o else "" for o in names))
    topics = Table("Team", "topic", "answered right", "asked, not answered right", title="By topic")
    for each in league.strengths:
        topics.add_row(
            _safe(each.team), _safe(each.topic), f"{each.right}/{each.answered}", f"{each.unanswered}/{each.asked}"
        )
    return [ratings, heads, topics]


def _questions(innings: Innings) -> str:
    delivered = Counter(question.delivery for question in innings.questions.values())
    broken = len(innings.filtered.broken) if innings.filtered else 0
    parts = [f"{innings.valid} valid"]
    parts += [f"{n} {what}" for what, n in (("late", delivered["late"]), ("fault", delivered["fault"])) if n]
    parts += [f"{broken} malformed"] if broken else []
    contested = sum(view.status in ("refuted", "disputed") for view in innings.keys.values())
    parts += [f"{contested} keys contested"] if contested else []
    return ", ".join(parts) + (": disqualified" if innings.disqualified else "")


def _answers(innings: Innings) -> str:
    outcomes = Counter(answer.outcome for answer in innings.answers.values())
    return ", ".join(f"{n} {outcome}" for outcome, n in outcomes.most_common()) or "none"


def _name(board: Scoreboard, side: Side) -> str:
    return _safe(getattr(board.started, side).name) if board.started else side


def _safe(text: str) -> str:
    from rich.markup import escape

    return escape(printable(text))
