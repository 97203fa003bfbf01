"""The closed set that breaks a tie: both A-agents answer it under the edition's limit; more right answers win."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tournament.match.context import MatchContext
from tournament.match.events import SIDES, AnswerReceived, Side, TieBreakAnswer
from tournament.match.scoring import have_answered
from tournament.teams.protocol import AnyTeam, Row


def play_tie_break(context: MatchContext, teams: Mapping[Side, AnyTeam], closed_set: Sequence[Row]) -> None:
    """Has both teams answer what they have not answered yet of ``closed_set``: questions that passed the filter."""
    for side in SIDES:
        answered = context.board.tie_break[side]
        rows = {index: row for index, row in enumerate(closed_set) if index not in answered}

        def as_tie_break(event: AnswerReceived, side: Side = side) -> TieBreakAnswer:
            shared = event.model_dump(include=set(TieBreakAnswer.model_fields) - {"type"})
            return TieBreakAnswer(side=side, **shared)

        have_answered(context, teams[side], side, 0, rows, as_tie_break)
