"""`aiac play`: a match, or a league, between any two agents under an edition's rules."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.core.edition import DEFAULT_EDITION
from agents.core.errors import InputError
from agents.support.settings import MATCHES_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from puzzles.checking import ProofChecker
    from tournament.match.description import MatchDescription
    from tournament.match.key_judges import KeyJudge
    from tournament.match.scoreboard import Scoreboard
    from tournament.teams.opening import TeamOpener
    from tournament.teams.protocol import AnyTeam

TEAM_HELP = (
    "http://…, a submission folder, a file of questions, always-a, random, base-letter, base-cloze, ensemble:NAME."
)

app = typer.Typer()


@app.command()
def play(
    home: Annotated[str | None, typer.Option(help=f"The team that asks first: {TEAM_HELP}")] = None,
    away: Annotated[str | None, typer.Option(help="The other team.")] = None,
    edition: Annotated[str, typer.Option(help="The edition whose rules hold.")] = DEFAULT_EDITION,
    questions: Annotated[int | None, typer.Option(min=1, help="Asked for in each innings; the edition's own.")] = None,
    difficulty: Annotated[str | None, typer.Option(help="easy, medium or hard; the teams' choice by default.")] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Seed of the questions, and of chance; 0 by default. Given, it goes to services too: one of ours then "
            "makes each question anew, where otherwise the hardest that wait come from its pool.",
        ),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            help="The event log; one of an interrupted match is gone on with. By default a new one in --folder."
        ),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Also write the match as one HTML file.")] = None,
    tie_break: Annotated[Path | None, typer.Option(help="A file of questions with keys: the closed set.")] = None,
    panel: Annotated[
        str | None, typer.Option(help="An ensemble that has a view of keys without a proof. Nobody by default.")
    ] = None,
    detail: Annotated[bool, typer.Option("--detail", help="Ask services for their probabilities too.")] = False,
    python: Annotated[str | None, typer.Option(help="The interpreter of folders that have no .venv.")] = None,
    base_model: Annotated[str, typer.Option(help="The model of base-letter and base-cloze.")] = "SmolLM2-135M-Instruct",
    tokenizer: Annotated[
        str | None, typer.Option(help="A model whose tokenizer counts for the filter; a Qwen that is here, if one is.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--json", help="Also write the numbers to this file.")] = None,
    round_robin: Annotated[
        Path | None,
        typer.Option(
            help="A YAML file of teams (teams: {NAME: TEAM}) that all play each other; a service's bearer key is read "
            "from AIAC_TEAM_NAME_API_KEY."
        ),
    ] = None,
    folder: Annotated[
        Path,
        typer.Option(envvar="AIAC_MATCHES", help="Where logs are kept; of a league, what is there is gone on with."),
    ] = Path(MATCHES_FOLDER),
) -> None:
    """Play a match, or a league, under an edition's rules: time limits, filters, scoring, disqualification.

    The exit code is 0 when everything was played, whoever won; 2 for what cannot be played; 130 when interrupted. An
    interrupted match goes on from its log.
    """
    from agents.answering.question_file import dump_rows
    from agents.core.edition import load_edition
    from agents.support.atomic_file import require_writable, write_whole
    from aiac.commands.models import find_or_pull_with_progress
    from aiac.commands.shared import open_ensemble, puzzle_source
    from puzzles.checking import ProofChecker
    from tournament.match.description import MatchDescription
    from tournament.match.token_counter import token_counter
    from tournament.report.page import summary
    from tournament.teams.opening import TeamOpener, TeamOptions
    from tournament.teams.puzzle_source import LEVELS
    from tournament.teams.question_file import read_closed_set

    limits = load_edition(edition)
    if difficulty not in (None, *LEVELS):
        raise InputError("difficulty", repr(difficulty), f"one of {', '.join(LEVELS)}")
    if round_robin is None and (home is None or away is None):
        raise InputError("--home and --away", "one that is missing", "two teams, or --round-robin TEAMS.yaml")
    outputs = [file for file in (log, report, output) if file is not None]
    # A team may be a file of questions.
    teams = [Path(team) for team in (home, away) if team is not None and "://" not in team]
    require_writable(*outputs, inputs=[*teams, *(file for file in (tie_break, round_robin) if file is not None)])
    counter = token_counter(find_or_pull_with_progress, tokenizer)
    closed_set = read_closed_set(tie_break, limits, counter.count) if tie_break else []
    number = questions or limits.default_questions
    match = MatchDescription(limits, counter, number, seed or 0, difficulty, closed_set)
    options = TeamOptions(match.seed, seed is not None, base_model, python, detail)
    opener = TeamOpener(options, puzzle_source, find_or_pull_with_progress, open_ensemble)
    checker = ProofChecker()
    try:
        judges = _judges(panel, opener, checker)
        if round_robin is not None:
            _play_league(round_robin, folder, match, opener, judges, output)
            return
        board = _play_one((str(home), str(away)), log, folder, match, opener, judges)
    finally:
        checker.close()
        opener.close()
    if output is not None:
        write_whole(output, dump_rows([summary(board)]))
    if report is not None:
        _write_report(board, report)


@app.command()
def report(
    log: Annotated[Path, typer.Argument(help="The event log of a match, finished or not.")],
    output: Annotated[Path | None, typer.Option(help="Where the page goes; by default beside the log.")] = None,
) -> None:
    """Write a match's log as one self-contained HTML file: who won, why, and where points were lost."""
    from agents.support.atomic_file import require_writable
    from tournament.match.log import read_log
    from tournament.match.scoreboard import Scoreboard

    target = output or log.with_suffix(".html")
    require_writable(target, inputs=[log])
    _write_report(Scoreboard.of(read_log(log)), target)


def _write_report(board: Scoreboard, target: Path) -> None:
    from agents.support.atomic_file import write_whole
    from tournament.report.page import render_report

    write_whole(target, render_report(board))
    typer.echo(str(target))


def _judges(panel: str | None, opener: TeamOpener, checker: ProofChecker) -> list[KeyJudge]:
    from tournament.match.key_judges import PanelJudge, ProofJudge, proved_letter

    judges: list[KeyJudge] = [ProofJudge(partial(proved_letter, proved_key=checker.proved_key))]
    if panel is not None:
        judges.append(PanelJudge(opener.ensemble(panel), panel, opener.runner))
    return judges


def _play_one(
    specs: tuple[str, str],
    log: Path | None,
    folder: Path,
    match: MatchDescription,
    opener: TeamOpener,
    judges: Sequence[KeyJudge],
) -> Scoreboard:
    """Play the teams of ``specs``, home first. Without a ``log`` a new one is begun in ``folder``."""
    from tournament.match.log import new_log_path
    from tournament.teams.names import side_key
    from tournament.teams.opening import open_both

    home, away = open_both(
        lambda: opener.open(specs[0], key=side_key("home")), lambda: opener.open(specs[1], key=side_key("away"))
    )
    path = log or new_log_path(folder, match.edition.id, home.entry.name, away.entry.name)
    return _play_shown(home, away, path, match, judges)


def _play_league(
    file: Path,
    folder: Path,
    match: MatchDescription,
    opener: TeamOpener,
    judges: Sequence[KeyJudge],
    output: Path | None,
) -> None:
    from rich.console import Console

    from agents.answering.question_file import dump_rows
    from agents.support.atomic_file import write_whole
    from aiac.commands.arena_view import league_tables
    from tournament.league import league_logs, match_seed, standings
    from tournament.teams.names import league_key, read_teams
    from tournament.teams.opening import open_both

    specs = read_teams(file)

    def open_team(name: str) -> Callable[[], AnyTeam]:
        return lambda: opener.open(specs[name], name=name, key=league_key(name))

    boards = {}
    for pair, log in league_logs(str(file), specs, match.edition.id).items():
        home, away = open_both(*map(open_team, pair))
        own = replace(match, seed=match_seed(match.seed, pair))
        boards[pair] = _play_shown(home, away, folder / log, own, judges)
    league = standings(boards, seed=match.seed)
    console = Console(width=None if Console().is_terminal else 160)
    for table in league_tables(league, match.edition):
        console.print(table)
    if output is not None:
        settings: dict[str, Any] = {"edition": match.edition.id, "questions": match.questions, "seed": match.seed}
        write_whole(output, dump_rows([{**settings, **league.to_json()}]))


def _play_shown(
    home: AnyTeam, away: AnyTeam, path: Path, match: MatchDescription, judges: Sequence[KeyJudge]
) -> Scoreboard:
    """Play a match with a person watching, and close its teams. Raises as ``play_match`` does."""
    from rich.console import Console

    from aiac.commands.arena_view import MatchView, result_table
    from tournament.match.context import MatchContext
    from tournament.match.log import EventLog
    from tournament.match.referee import play_match
    from tournament.match.scoreboard import Scoreboard
    from tournament.teams.folder import FolderTeam

    console = Console()
    for line in (team.lacking for team in (home, away) if isinstance(team, FolderTeam) and team.lacking):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    try:
        with EventLog(path) as log, MatchView(console) as view:
            context = MatchContext(match, log, Scoreboard.of(log.events), observe=view.observe)
            log.events.clear()
            board = play_match(context, home, away, judges)
    finally:
        home.close()
        away.close()
    console.print(result_table(board))
    console.print(f"log: {path}", markup=False, highlight=False, soft_wrap=True)
    return board
