"""The referee's own view of a key: a proof where there is one, otherwise a panel's vote. It never changes a score."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agents.answering.answerer import Answerer
from agents.core.deadline import Deadline
from agents.core.schema import LETTERS, Question
from tournament.match.answers import readable
from tournament.match.context import MatchContext
from tournament.match.events import KeyJudged, KeyStatus
from tournament.match.scoreboard import Innings
from tournament.teams.protocol import AnyTeam, ItemTeam, Row

PANEL_SECONDS = 120.0
"""For one question. Nobody waits for it but the match."""
PANEL_SURE = 0.5
"""A panel disputes a key when it gives another choice at least this probability."""


ProvedKey = Callable[[dict[str, Any], str, Sequence[str]], int | None]
"""Proves a puzzle anew: (its JSON, question, choices) -> the place of the key, None where it is another question's.

Raises ValueError and the like for a proof that does not hold.
"""


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


def proved_letter(row: Row, proof: Any, proved_key: ProvedKey) -> str | None:
    """Return the letter that a puzzle's certificate proves for this question in this wording.

    None where it proves nothing. A proof comes from a team: whatever it is, this does not raise.
    """
    question = readable(row)
    if question is None or not isinstance(proof, dict):
        return None
    try:
        key = proved_key(proof, question.text, question.choices)
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError, OSError):
        return None
    return None if key is None else LETTERS[key]


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


def judge_keys(context: MatchContext, innings: Innings, asker: AnyTeam, judges: Sequence[KeyJudge]) -> None:
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
        context.record(
            KeyJudged(
                at_s=context.now(),
                innings=innings.number,
                index=index,
                status=view.status,
                letter=view.letter,
                by=view.by,
                probabilities=view.probabilities,
            )
        )
