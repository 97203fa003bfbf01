"""A match between two services, to be played in a process of its own too."""

from __future__ import annotations

from pathlib import Path

from arena_fakes import match_of

from tournament.match.context import MatchContext
from tournament.match.log import EventLog
from tournament.match.referee import play_match
from tournament.match.scoreboard import Scoreboard
from tournament.teams.http import HttpTeam


def play_services(path: Path, home: str, away: str) -> Scoreboard:
    """Four questions an innings between two services."""
    teams = [HttpTeam(url, seeded=True) for url in (home, away)]
    with EventLog(path) as log:
        context = MatchContext(match_of(4), log, Scoreboard.of(log.events))
        board = play_match(context, *teams)
    for team in teams:
        team.close()
    return board
