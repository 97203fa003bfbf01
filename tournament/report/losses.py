"""Where a team's answers lost points, and what would have won."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from tournament.match.events import SIDES, AnswerReceived, Side
from tournament.match.scoreboard import Innings, Scoreboard, winner_by_points

Cause = Literal["late", "format", "malformed", "fault", "wrong key", "wrong answer"]
CAUSES: tuple[Cause, ...] = ("late", "format", "malformed", "fault", "wrong key", "wrong answer")
CONTESTED = ("refuted", "disputed")


@dataclass(frozen=True)
class Loss:
    """Points that one team's A-agent did not get for one cause."""

    side: Side
    cause: Cause
    items: int
    points: float
    """What they were worth, 0 to 100."""
    regained: int
    """Of the items, those whose letter was right, or would be by the key the referee believes in."""
    winner_if_regained: Side | None
    """Who would have won had those counted, all else as it was; None for a tie."""


def losses(board: Scoreboard) -> list[Loss]:
    """Every cause that cost a team something, for both teams."""
    found = []
    for side in SIDES:
        innings = next(innings for innings in board.innings.values() if innings.answerer == side)
        by_cause: dict[Cause, list[AnswerReceived]] = {}
        for answer in innings.answers.values():
            if answer.outcome != "right":
                by_cause.setdefault(cause_of(innings, answer), []).append(answer)
        found += [_loss(board, innings, cause, by_cause[cause]) for cause in CAUSES if cause in by_cause]
    return found


def cause_of(innings: Innings, answer: AnswerReceived) -> Cause:
    """Why an answer that is not right lost its point."""
    if answer.outcome != "wrong" and answer.outcome != "right":
        return answer.outcome
    view = innings.keys.get(answer.index)
    contested = view is not None and view.status in CONTESTED and view.letter == answer.letter
    return "wrong key" if contested else "wrong answer"


def key_letter(innings: Innings, index: int) -> str:
    """The letter that the scoring compares with: the first of the key as the asker wrote it."""
    return str(innings.questions[index].row["answer"])[:1]


def _loss(board: Scoreboard, innings: Innings, cause: Cause, answers: list[AnswerReceived]) -> Loss:
    regained = sum(cause == "wrong key" or answer.letter == key_letter(innings, answer.index) for answer in answers)
    shift = Fraction(100 * regained, innings.valid)
    scores = {side: board.score(side) + (shift if side == innings.answerer else -shift) for side in SIDES}
    winner = board.leader() if any(map(board.disqualified, SIDES)) else winner_by_points(scores["home"], scores["away"])
    return Loss(
        side=innings.answerer,
        cause=cause,
        items=len(answers),
        points=float(Fraction(100 * len(answers), innings.valid)),
        regained=regained,
        winner_if_regained=winner,
    )
