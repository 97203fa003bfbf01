"""`aiac play`: a match, or a league, between any two agents under an edition's rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.core.errors import InputError
from agents.core.rules import DEFAULT_EDITION
from agents.support.settings import MATCHES_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from agents.core.rules import Edition
    from aiac.commands.arena_teams import TeamOptions
    from aiac.commands.token_counter import TokenCounter
    from tournament.league import Pair
    from tournament.match.keys import KeyJudge
    from tournament.match.referee import MatchPlan
    from tournament.match.scoreboard import Scoreboard
    from tournament.teams.protocol import AnyTeam

TEAM_HELP = (
    "http://…, a submission folder, a file of questions, always-a, random, base-letter, base-cloze, ensemble:NAME."
)


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
    from agents.core.rules import load_edition
    from agents.support.atomic_file import require_writable, write_whole
    from aiac.commands.arena_teams import LEVELS, TeamOptions
    from aiac.commands.token_counter import token_counter
    from tournament.match.referee import MatchPlan
    from tournament.report.page import summary
    from tournament.teams.question_file import read_closed_set

    limits = load_edition(edition)
    if difficulty not in (None, *LEVELS):
        raise InputError("difficulty", repr(difficulty), f"one of {', '.join(LEVELS)}")
    if round_robin is None and (home is None or away is None):
        raise InputError("--home and --away", "one that is missing", "two teams, or --round-robin TEAMS.yaml")
    for file in (report, output):
        if file is not None:
            require_writable(file)
    counter = token_counter(tokenizer)
    closed_set = read_closed_set(tie_break, limits, counter.count) if tie_break else []
    plan = MatchPlan(questions or limits.default_questions, seed or 0, difficulty, closed_set, counter.name)
    options = TeamOptions(plan.seed, seed is not None, base_model, python, detail)
    try:
        judges = _judges(panel, options)
        if round_robin is not None:
            _league(round_robin, folder, limits, plan, options, counter, judges, output)
            return
        board = _match(str(home), str(away), log, folder, limits, plan, options, counter, judges)
    finally:
        options.close()
    if output is not None:
        write_whole(output, dump_rows([summary(board)]))
    if report is not None:
        _write_report(board, report)


def report(
    log: Annotated[Path, typer.Argument(help="The event log of a match, finished or not.")],
    output: Annotated[Path | None, typer.Option(help="Where the page goes; by default beside the log.")] = None,
) -> None:
    """Write a match's log as one self-contained HTML file: who won, why, and where points were lost."""
    from tournament.match.log import read_log
    from tournament.match.scoreboard import Scoreboard

    target = output or log.with_suffix(".html")
    if target == log:
        raise InputError("LOG", repr(str(log)), "a log; this is the name its report would have")
    _write_report(Scoreboard.of(read_log(log)), target)


def _write_report(board: Scoreboard, target: Path) -> None:
    from agents.support.atomic_file import write_whole
    from tournament.report.page import render_report

    write_whole(target, render_report(board))
    typer.echo(str(target))


def _judges(panel: str | None, options: TeamOptions) -> list[KeyJudge]:
    from aiac.commands.arena_teams import check_puzzle_proof, open_ensemble_once
    from tournament.match.keys import PanelJudge, ProofJudge

    judges: list[KeyJudge] = [ProofJudge(check_puzzle_proof)]
    if panel is not None:
        judges.append(PanelJudge(open_ensemble_once(panel, options), panel, options.runner))
    return judges


def _match(
    home: str,
    away: str,
    log: Path | None,
    folder: Path,
    edition: Edition,
    plan: MatchPlan,
    options: TeamOptions,
    counter: TokenCounter,
    judges: Sequence[KeyJudge],
) -> Scoreboard:
    from aiac.commands.arena_teams import open_both, open_team, side_key

    first, second = open_both(
        lambda: open_team(home, options, key=side_key("home")), lambda: open_team(away, options, key=side_key("away"))
    )
    path = log or default_log(folder, edition.id, first.entry.name, second.entry.name)
    return play_shown(first, second, path, edition, plan, counter, judges)


def play_shown(
    home: AnyTeam,
    away: AnyTeam,
    path: Path,
    edition: Edition,
    plan: MatchPlan,
    counter: TokenCounter,
    judges: Sequence[KeyJudge],
) -> Scoreboard:
    """Plays a match with a person watching, and closes its teams. Raises as ``play_match`` does."""
    from rich.console import Console

    from aiac.commands.arena_view import MatchView, result_table
    from tournament.match.context import Court
    from tournament.match.log import EventLog
    from tournament.match.referee import play_match
    from tournament.match.scoreboard import Scoreboard

    console = Console()
    try:
        with EventLog(path) as log, MatchView(console) as view:
            court = Court(edition, counter.count, log, Scoreboard.of(log.events), observe=view.observe)
            log.events.clear()
            board = play_match(court, plan, home, away, judges)
    finally:
        home.close()
        away.close()
    console.print(result_table(board))
    console.print(f"log: {path}", markup=False, highlight=False, soft_wrap=True)
    return board


def default_log(folder: Path, edition: str, home: str, away: str) -> Path:
    """A fresh name in ``folder``, readable and free of whatever a team's name may hold."""
    from aiac.commands.arena_teams import slug

    time = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return folder / f"{edition}-{time}-{slug(home)}-{slug(away)}.jsonl"


def league_logs(file: Path, names: Iterable[str], edition: str) -> dict[Pair, str]:
    """The name of each pairing's log, always the same. Raises InputError for names that short forms confuse."""
    from aiac.commands.arena_teams import require_distinct, slug
    from tournament.league import pairings

    short = {name: slug(name) for name in names}
    require_distinct(str(file), ((repr(name), slug) for name, slug in short.items()))
    logs = {(home, away): f"{edition}-{short[home]}-{short[away]}.jsonl" for home, away in pairings(short)}
    # "a" against "b c" and "a b" against "c" are written alike.
    require_distinct(str(file), ((f"{home!r} against {away!r}", log) for (home, away), log in logs.items()))
    return logs


def _league(
    file: Path,
    folder: Path,
    edition: Edition,
    plan: MatchPlan,
    options: TeamOptions,
    counter: TokenCounter,
    judges: Sequence[KeyJudge],
    output: Path | None,
) -> None:
    from rich.console import Console

    from agents.answering.question_file import dump_rows
    from agents.support.atomic_file import write_whole
    from aiac.commands.arena_teams import league_key, open_both, open_team, read_teams
    from aiac.commands.arena_view import league_tables
    from tournament.league import match_seed, standings

    specs = read_teams(file)

    def opener(name: str) -> Callable[[], AnyTeam]:
        return lambda: open_team(specs[name], options, name=name, key=league_key(name))

    boards: dict[Pair, Scoreboard] = {}
    for (home, away), log in league_logs(file, specs, edition.id).items():
        first, second = open_both(opener(home), opener(away))
        own = replace(plan, seed=match_seed(plan.seed, (home, away)))
        boards[home, away] = play_shown(first, second, folder / log, edition, own, counter, judges)
    league = standings(boards, seed=plan.seed)
    console = Console(width=None if Console().is_terminal else 160)
    for table in league_tables(league, edition):
        console.print(table)
    if output is not None:
        settings: dict[str, Any] = {"edition": edition.id, "questions": plan.questions, "seed": plan.seed}
        write_whole(output, dump_rows([{**settings, **league.to_json()}]))
