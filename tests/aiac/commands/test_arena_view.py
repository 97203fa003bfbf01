"""The match on a terminal: drawn at most once a second, and deaf to what a team's name says."""

from __future__ import annotations

import io

from arena_fakes import FEBRUARY, FakeClock, good_team, match_of
from rich.console import Console

from aiac.commands.arena_view import MatchView, league_tables, live_table, result_table
from tournament.league import standings
from tournament.match.context import MatchContext
from tournament.match.log import EventLog
from tournament.match.referee import play_match
from tournament.match.scoreboard import Scoreboard

NAME = "[bold red]evil[/bold red] \x1b]0;title\x07"
SHOWN = r"[bold red]evil[/bold red] \x1b]0;title\x07"


def watched(path, console: Console, clock: FakeClock) -> Scoreboard:
    home, away = good_team(clock, 4, name=NAME, letter="C"), good_team(clock, 4, name="away")
    with EventLog(path) as log, MatchView(console, clock) as view:
        context = MatchContext(match_of(4), log, Scoreboard(), observe=view.observe, clock=clock)
        return play_match(context, home, away)


def text_of(table) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(table)
    return console.file.getvalue()


def test_a_terminal_sees_the_match_as_it_goes_and_anything_else_a_line_an_innings(tmp_path):
    terminal = Console(file=io.StringIO(), force_terminal=True, width=160)
    watched(tmp_path / "a", terminal, FakeClock())
    # The match takes 1.6 s by the clock: it is drawn at its start, after a second, and when it is over.
    assert terminal.file.getvalue().count("Innings") == 3
    pipe = Console(file=io.StringIO())
    watched(tmp_path / "b", pipe, FakeClock())
    assert pipe.file.getvalue() == ("innings 1: 4 valid, 4 answered right\ninnings 2: 4 valid, 0 answered right\n")


def test_a_teams_name_is_text_and_neither_markup_nor_a_command_to_the_terminal(tmp_path):
    board = watched(tmp_path / "a", Console(file=io.StringIO()), FakeClock())
    league = standings({(NAME, "away"): board})
    for table in (live_table(board), result_table(board), *league_tables(league, FEBRUARY)):
        shown = text_of(table)
        assert SHOWN in shown
        assert "\x1b" not in shown


def test_the_result_names_the_winner_and_what_became_of_the_answers(tmp_path):
    shown = text_of(result_table(watched(tmp_path / "a", Console(file=io.StringIO()), FakeClock())))
    assert "away wins: 200.00 points to 0.00" in shown
    assert "4 wrong" in shown
    assert "4 right" in shown
