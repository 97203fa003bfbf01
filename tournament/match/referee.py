"""The referee: two innings between any two teams under an edition's rules, and the tie-break."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence

from agents.core.errors import FileError, InputError
from agents.core.rules import filter_questions
from tournament.match.answers import have_answered
from tournament.match.context import MatchContext
from tournament.match.events import SIDES, AnswerReceived, MatchEnded, MatchResumed, MatchStarted, Side, TieBreakAnswer
from tournament.match.innings import MAX_QUESTIONS, end_innings, play_answers, play_questions
from tournament.match.key_judges import KeyJudge, judge_keys
from tournament.match.scoreboard import INNINGS, Scoreboard
from tournament.teams.protocol import AnyTeam, Row


def play_match(context: MatchContext, home: AnyTeam, away: AnyTeam, judges: Sequence[KeyJudge] = ()) -> Scoreboard:
    """Play a match to its end and return its board. A match that the log holds in part is resumed.

    The match goes on whatever a team does. Raises InputError for a description that cannot be played, FileError when
    the log is of another match or cannot be written.
    """
    _check(context)
    teams: dict[Side, AnyTeam] = {"home": home, "away": away}
    _begin(context, teams)
    if context.board.ended is not None:
        return context.board
    for number, asker in INNINGS.items():
        innings = context.board.innings[number]
        play_questions(context, innings, teams[asker])
        play_answers(context, innings, teams[innings.answerer])
        judge_keys(context, innings, teams[asker], judges)
        end_innings(context, innings)
    home_score, away_score = context.board.score("home"), context.board.score("away")
    closed_set = context.description.closed_set
    if closed_set and home_score == away_score and not any(map(context.board.disqualified, teams)):
        _play_tie_break(context, teams, closed_set)
    winner, reason = context.board.result()
    context.record(
        MatchEnded(
            at_s=context.now(),
            winner=winner,
            reason=reason,
            home_score=float(home_score),
            away_score=float(away_score),
        )
    )
    context.log.sync()
    return context.board


def _check(context: MatchContext) -> None:
    match = context.description
    if not 1 <= match.questions <= MAX_QUESTIONS:
        raise InputError("questions", f"{match.questions}", f"1 to {MAX_QUESTIONS:,} an innings")
    passed = filter_questions(match.closed_set, context.count_tokens, context.edition)
    if len(passed) != len(match.closed_set):
        broken = len(match.closed_set) - len(passed)
        raise InputError("tie-break", f"{broken} questions that do not pass the filter", "a set of which all do")


def _begin(context: MatchContext, teams: dict[Side, AnyTeam]) -> None:
    match, edition = context.description, context.edition
    digest = hashlib.sha256(json.dumps(list(match.closed_set), sort_keys=True).encode()).hexdigest()
    begun = MatchStarted(
        at_s=context.now(),
        match_id=uuid.uuid4().hex,
        edition=edition.id,
        home=teams["home"].entry,
        away=teams["away"].entry,
        questions=match.questions,
        seed=match.seed,
        difficulty=match.difficulty,
        question_limit_s=edition.question_seconds,
        answer_limit_s=edition.answer_seconds,
        tie_break=digest if match.closed_set else None,
        tokenizer=match.tokens.name,
    )
    before = context.board.started
    if before is None:
        context.record(begun)
        return
    for name in ("edition", "home", "away", "questions", "seed", "difficulty", "tie_break", "tokenizer"):
        there, here = getattr(before, name), getattr(begun, name)
        if there != here:
            raise FileError(f"{context.log.path}: {name}", f"{there}", f"{here}, as this match has it; or another log")
    if context.board.ended is None:
        context.record(MatchResumed(at_s=context.now()))


def _play_tie_break(context: MatchContext, teams: Mapping[Side, AnyTeam], closed_set: Sequence[Row]) -> None:
    """Have both teams answer what is left of ``closed_set``, under the edition's limit. More right answers win."""
    for side in SIDES:
        answered = context.board.tie_break[side]
        rows = {index: row for index, row in enumerate(closed_set) if index not in answered}

        def as_tie_break(event: AnswerReceived, side: Side = side) -> TieBreakAnswer:
            shared = event.model_dump(include=set(TieBreakAnswer.model_fields) - {"type"})
            return TieBreakAnswer(side=side, **shared)

        have_answered(context, teams[side], side, 0, rows, as_tie_break)
