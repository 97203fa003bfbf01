"""A match as one self-contained HTML file: who won, why, and where points were lost.

Whatever teams wrote is hostile. The template escapes everything, the page forbids itself scripts and the network, and
characters that would turn text around are shown as their codes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agents.core.edition import load_edition
from agents.core.errors import FileError
from agents.core.schema import LETTERS
from agents.support.missing_package import missing_package
from tournament.match.events import SIDES, AnswerReceived, KeyJudged, QuestionReceived
from tournament.match.scoreboard import Innings, Scoreboard
from tournament.report import plots
from tournament.report.calibration import calibration
from tournament.report.losses import cause_of, losses
from tournament.untrusted import clip, printable

TEMPLATE = "report.html.j2"
SHOWN_CHARS = 1_500


@dataclass(frozen=True)
class ItemView:
    """One question of an innings as the report shows it. Texts are printable, and still hostile."""

    number: int
    topic: str
    question: str
    choices: list[str]
    key: str
    """As the asker wrote it; empty where there is no row."""
    fate: str
    """What became of the question: ``valid``, or why it does not count."""
    given: str
    """The answer as the other team wrote it."""
    outcome: str
    why: str
    reasoning: str
    question_s: float | None
    answer_s: float | None
    view: KeyJudged | None
    probabilities: list[float] | None


def render_report(board: Scoreboard) -> str:
    """The page. Raises FileError for a log in which no match began, MissingExtraError without Jinja."""
    started = board.started
    if started is None:
        raise FileError("log", "no beginning of a match", "the events of one")
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise missing_package(error.name, "arena") from None
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["safe_text"] = lambda text: printable(str(text))
    winner, reason = board.result() if board.ended is None else (board.ended.winner, board.ended.reason)
    return environment.get_template(TEMPLATE).render(
        started=started,
        edition=load_edition(started.edition),
        date=datetime.fromtimestamp(started.at_s, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        finished=board.ended is not None,
        winner=winner,
        reason=reason,
        sides=SIDES,
        names={side: getattr(started, side).name for side in SIDES},
        scores={side: float(board.score(side)) for side in SIDES},
        innings=[_innings(board, innings) for innings in board.innings.values()],
        losses=losses(board),
        runs=board.runs,
        tie_break={side: (board.tie_break_right(side), len(board.tie_break[side])) for side in SIDES},
        letters=LETTERS,
        plots=plots,
    )


def summary(board: Scoreboard) -> dict[str, Any]:
    """The match in numbers, as JSON values."""
    winner, reason = board.result()
    return {
        "finished": board.ended is not None,
        "winner": winner,
        "reason": reason,
        "teams": {side: getattr(board.started, side).model_dump() for side in SIDES} if board.started else {},
        "scores": {side: float(board.score(side)) for side in SIDES},
        "innings": [_numbers(innings) for innings in board.innings.values()],
        "losses": [asdict(loss) for loss in losses(board)],
    }


def _numbers(innings: Innings) -> dict[str, Any]:
    keys = [view.status for view in innings.keys.values()]
    return {
        "asker": innings.asker,
        "answerer": innings.answerer,
        "received": sum(question.delivery == "on time" for question in innings.questions.values()),
        "valid": innings.valid,
        "disqualified": innings.disqualified,
        "right": innings.right,
        "points": {side: float(innings.points(side)) for side in SIDES},
        "keys": {status: keys.count(status) for status in sorted(set(keys))},
    }


def _innings(board: Scoreboard, innings: Innings) -> dict[str, Any]:
    started = board.started
    number = len(innings.questions)
    asked = [(q.index, q.elapsed_s, q.delivery) for q in innings.questions.values() if q.elapsed_s is not None]
    answered = [(a.index, a.elapsed_s, a.outcome) for a in innings.answers.values() if a.elapsed_s is not None]
    limits = (started.question_limit_s, started.answer_limit_s) if started else (1.0, 1.0)
    return {
        **_numbers(innings),
        "number": innings.number,
        "asked": number,
        "items": [_item(innings, index) for index in sorted(innings.questions)],
        "question_marks": plots.time_marks(asked, number, limits[0]),
        "answer_marks": plots.time_marks(answered, number, limits[1]),
        "calibration": plots.calibration_marks(calibration(innings)),
    }


def _item(innings: Innings, index: int) -> ItemView:
    question, answer = innings.questions[index], innings.answers.get(index)
    row = question.row if isinstance(question.row, dict) else {"question": question.row}
    choices = row.get("choices")
    return ItemView(
        number=index + 1,
        topic=question.topic,
        question=_text(row.get("question")),
        choices=[_text(choice) for choice in choices] if isinstance(choices, list) else [_text(choices)],
        key=_text(row.get("answer")),
        fate=_fate(innings, question),
        given=_field(answer, "answer"),
        outcome=answer.outcome if answer else "",
        why=_why(innings, answer),
        reasoning=_field(answer, "reasoning"),
        question_s=question.elapsed_s,
        answer_s=answer.elapsed_s if answer else None,
        view=innings.keys.get(index),
        probabilities=answer.probabilities if answer else None,
    )


def _fate(innings: Innings, question: QuestionReceived) -> str:
    if question.fault is not None:
        return question.fault.detail
    if question.delivery == "late":
        return "late"
    filtered = innings.filtered
    if filtered is None:
        return "not filtered yet"
    if question.index in filtered.broken:
        return filtered.broken[question.index]
    return "valid" if question.index in filtered.survivors else "passes, but fewer than half of the rows do"


def _why(innings: Innings, answer: AnswerReceived | None) -> str:
    if answer is None or answer.outcome == "right":
        return ""
    if answer.fault is not None:
        return answer.fault.detail
    return answer.rule or cause_of(innings, answer)


def _field(answer: AnswerReceived | None, field: str) -> str:
    if answer is None:
        return ""
    return _text(answer.answer.get(field) if isinstance(answer.answer, dict) else answer.answer)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return printable(clip(value if isinstance(value, str) else json.dumps(value), SHOWN_CHARS))
