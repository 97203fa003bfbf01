"""The referee: two innings between any two teams under an edition's rules, and the tie-break."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from agents.core.errors import FileError, InputError
from agents.core.rules import filter_questions
from tournament.match.context import Court
from tournament.match.events import MatchEnded, MatchResumed, MatchStarted, Side
from tournament.match.innings import MAX_QUESTIONS, end_innings, play_answers, play_questions
from tournament.match.keys import KeyJudge, judge_keys
from tournament.match.scoreboard import INNINGS, Scoreboard
from tournament.match.tie_break import play_tie_break
from tournament.teams.protocol import AnyTeam, Row


@dataclass(frozen=True)
class MatchPlan:
    """What a match is, beside its teams."""

    questions: int
    """Asked for in each innings."""
    seed: int = 0
    difficulty: str | None = None
    closed_set: Sequence[Row] = field(default_factory=tuple)
    """Canonical questions with keys, answered by both teams after a tie."""
    tokenizer: str = ""
    """What ``Court.count_tokens`` counts with, for the record."""


def play_match(
    court: Court, plan: MatchPlan, home: AnyTeam, away: AnyTeam, judges: Sequence[KeyJudge] = ()
) -> Scoreboard:
    """The board of a finished match. A match that the log holds in part goes on where it stopped.

    Whatever a team does, the match goes on. Raises InputError for a plan that cannot be played, FileError when the log
    is of another match, or cannot be written.
    """
    _check(plan, court)
    teams: dict[Side, AnyTeam] = {"home": home, "away": away}
    _begin(court, plan, teams)
    if court.board.ended is not None:
        return court.board
    for number, asker in INNINGS.items():
        innings = court.board.innings[number]
        play_questions(court, innings, teams[asker], plan.questions, plan.seed, plan.difficulty)
        play_answers(court, innings, teams[innings.answerer])
        judge_keys(court, innings, teams[asker], judges)
        end_innings(court, innings)
    home_score, away_score = court.board.score("home"), court.board.score("away")
    if plan.closed_set and home_score == away_score and not any(map(court.board.disqualified, teams)):
        play_tie_break(court, teams, plan.closed_set)
    winner, reason = court.board.result()
    court.record(
        MatchEnded(
            at_s=court.now(),
            winner=winner,
            reason=reason,
            home_score=float(home_score),
            away_score=float(away_score),
        )
    )
    court.log.sync()
    return court.board


def _check(plan: MatchPlan, court: Court) -> None:
    if not 1 <= plan.questions <= MAX_QUESTIONS:
        raise InputError("questions", f"{plan.questions}", f"1 to {MAX_QUESTIONS:,} an innings")
    passed = filter_questions(plan.closed_set, court.count_tokens, court.edition)
    if len(passed) != len(plan.closed_set):
        broken = len(plan.closed_set) - len(passed)
        raise InputError("tie-break", f"{broken} questions that do not pass the filter", "a set of which all do")


def _begin(court: Court, plan: MatchPlan, teams: dict[Side, AnyTeam]) -> None:
    edition = court.edition
    digest = hashlib.sha256(json.dumps(list(plan.closed_set), sort_keys=True).encode()).hexdigest()
    begun = MatchStarted(
        at_s=court.now(),
        match_id=uuid.uuid4().hex,
        edition=edition.id,
        home=teams["home"].entry,
        away=teams["away"].entry,
        questions=plan.questions,
        seed=plan.seed,
        difficulty=plan.difficulty,
        question_limit_s=edition.question_seconds,
        answer_limit_s=edition.answer_seconds,
        tie_break=digest if plan.closed_set else None,
        tokenizer=plan.tokenizer,
    )
    before = court.board.started
    if before is None:
        court.record(begun)
        return
    for name in ("edition", "home", "away", "questions", "seed", "difficulty", "tie_break", "tokenizer"):
        there, here = getattr(before, name), getattr(begun, name)
        if there != here:
            raise FileError(f"{court.log.path}: {name}", f"{there}", f"{here}, as this match has it; or another log")
    if court.board.ended is None:
        court.record(MatchResumed(at_s=court.now()))
