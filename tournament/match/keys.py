"""The referee's own view of a key: a proof where there is one, otherwise a panel's vote. It never changes a score."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agents.answering.answerer import Answerer
from agents.core.deadline import Deadline
from agents.core.schema import Question
from tournament.match.context import Court
from tournament.match.events import KeyJudged, KeyStatus
from tournament.match.scoreboard import Innings
from tournament.match.scoring import readable
from tournament.teams.protocol import AnyTeam, ItemTeam, Row

PANEL_SECONDS = 120.0
"""For one question. Nobody waits for it but the match."""
PANEL_SURE = 0.5
"""A panel disputes a key when it gives another choice at least this probability."""


@dataclass(frozen=True)
class KeyView:
    """What a judge makes of a key. ``letter`` is the key the judge found; None where it found none."""

    status: KeyStatus
    letter: str | None
    by: str
    probabilities: list[float] | None = None


class KeyJudge(Protocol):
    """Has a view of a key, or None where it cannot tell."""

    def judge(self, question: Question, row: Row, proof: Any) -> KeyView | None: ...


class ProofJudge:
    """Believes a proof once ``check`` has carried it out anew.

    ``check(row, proof)`` gives the letter that is proved for this question, in this wording and with these choices;
    None when it is no proof of it.
    """

    def __init__(self, check: Callable[[Row, Any], str | None]) -> None:
        self._check = check

    def judge(self, question: Question, row: Row, proof: Any) -> KeyView | None:
        if proof is None or (letter := self._check(row, proof)) is None:
            return None
        return KeyView("proved" if letter == question.key_letter else "refuted", letter, "proof")


class PanelJudge:
    """Asks an ensemble. It agrees when its first choice is the key, and disputes when it is sure of another."""

    def __init__(self, panel: Answerer, name: str, runner: asyncio.Runner) -> None:
        self._panel, self._name, self._runner = panel, name, runner

    def judge(self, question: Question, row: Row, proof: Any) -> KeyView | None:
        verdict = self._runner.run(self._panel.answer(question, Deadline.after(PANEL_SECONDS)))
        if not any(member.vote for member in verdict.members):
            return None
        letter, best = verdict.answer.letter, max(verdict.probabilities)
        status: KeyStatus = "agreed" if letter == question.key_letter else "unknown"
        if status == "unknown" and best >= PANEL_SURE:
            status = "disputed"
        return KeyView(status, letter, self._name, verdict.probabilities)


def judge_keys(court: Court, innings: Innings, asker: AnyTeam, judges: Sequence[KeyJudge]) -> None:
    """Judges what no event has judged yet. After the answers: it must not take the machine from those who answer."""
    if not judges or innings.filtered is None:
        return
    for index in innings.filtered.survivors:
        row = innings.questions[index].row
        if index in innings.keys or (question := readable(row)) is None:
            continue
        proof = asker.proof(row) if isinstance(asker, ItemTeam) else None
        views = (view for judge in judges if (view := judge.judge(question, row, proof)) is not None)
        view = next(views, KeyView("unknown", None, "nobody"))
        court.record(
            KeyJudged(
                at_s=court.now(),
                innings=innings.number,
                index=index,
                status=view.status,
                letter=view.letter,
                by=view.by,
                probabilities=view.probabilities,
            )
        )
