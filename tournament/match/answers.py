"""Collect the answers of a team, and judge each by an edition's rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from agents.core.errors import QuestionError
from agents.core.rules import broken_answer_rule, filter_answers, score_answer
from agents.core.schema import LETTERS, Question, key_index, read_question
from tournament.match.context import MatchContext, run_event
from tournament.match.events import AnswerOutcome, AnswerReceived, Event, Side
from tournament.teams.protocol import AnyTeam, BatchTeam, Fault, Row
from tournament.untrusted import clip, kept_answer, parsed_row

MAX_TOPIC_CHARS = 200
SHOWN_CHARS = 60


def shown_to_answerer(row: Row) -> Row:
    """The question as the other team sees it: no key, and no explanation that gives it away."""
    return {"topic": clip(str(row["topic"]), MAX_TOPIC_CHARS), "question": row["question"], "choices": row["choices"]}


def readable(row: Row) -> Question | None:
    """The question in a row; None where it cannot be read, which passing the filter does not rule out."""
    try:
        return read_question(row)
    except QuestionError:
        return None


def have_answered(
    context: MatchContext,
    team: AnyTeam,
    side: Side,
    innings: int,
    rows: Mapping[int, Row],
    convert: Callable[[AnswerReceived], Event] = lambda event: event,
    before: Callable[[Sequence[int]], Sequence[Event]] = lambda answered: (),
) -> None:
    """Has ``team`` answer ``rows`` and records each answer, scored; as what ``convert`` makes of it.

    What ``before`` makes of the indices answered is recorded together with the answers, in front of them.
    """
    if not rows:
        return
    limit_s = context.edition.answer_seconds
    if isinstance(team, BatchTeam):
        questions = [shown_to_answerer(row) for row in rows.values()]
        total_s = limit_s * len(rows)
        batch, elapsed_s = context.timed_run(lambda: team.answer_all(questions, total_s))
        events: list[Event] = [run_event(context, side, innings, "answers", batch, elapsed_s, total_s)]
        for place, (index, row) in enumerate(rows.items()):
            value, fault = batch.row(place)
            late = elapsed_s > total_s
            scored = _scored(context, row, value, fault, late=late, innings=innings, index=index, elapsed_s=None)
            events.append(convert(scored))
        context.record(*before(list(rows)), *events)
        return
    for index, row in rows.items():
        question = shown_to_answerer(row)
        found = context.timed(partial(team.answer, question), limit_s)
        known = {"innings": innings, "index": index, "elapsed_s": found.elapsed_s}
        late = found.elapsed_s > limit_s
        scored = _scored(context, row, found.value, found.fault, late=late, **known)
        context.record(*before([index]), convert(scored))


def judge_answer(context: MatchContext, row: Row, value: Any) -> tuple[AnswerOutcome, str]:
    """What an answer that came in time is worth by the filter and the scoring, and the rule it broke."""
    passed = filter_answers([value], context.count_tokens, context.edition)[0]
    if passed is None:
        return "malformed", broken_answer_rule(value, context.count_tokens, context.edition) or ""
    if score_answer(row, passed):
        return "right", ""
    reason = unscored(passed["answer"], LETTERS)
    return ("wrong", "") if reason is None else ("format", reason)


def unscored(given: str, letters: str) -> str | None:
    """Why an answer that passes the filter is never right; None where it is one of the upper-case ``letters``."""
    if len(given) == 1 and given in letters:
        return None
    return f"answer: {clip(ascii(given), SHOWN_CHARS)}, not exactly one upper-case letter"


def meant_letter(row: Row, value: Any) -> str | None:
    """The letter an answer seems to mean, read with all goodwill; None where it means none."""
    value = parsed_row(value)
    given = value.get("answer") if isinstance(value, dict) else None
    if not isinstance(given, str):
        return None
    if len(given) == 1 and given in LETTERS[: len(row["choices"])]:
        return given
    question = readable(row)
    index = key_index(given, question.choices if question else [""] * len(row["choices"]))
    return None if index is None else LETTERS[index]


def _scored(
    context: MatchContext, row: Row, value: Any, fault: Fault | None, *, late: bool, **known: Any
) -> AnswerReceived:
    """The event for one answer; ``known`` are its innings, index and elapsed_s."""
    known["at_s"] = context.now()
    # A fault outranks lateness: there was nothing to be late with.
    if fault is not None:
        return AnswerReceived(**known, outcome="fault", fault=fault)
    outcome, rule = ("late", "") if late else judge_answer(context, row, value)
    return AnswerReceived(
        **known,
        outcome=outcome,
        letter=meant_letter(row, value),
        rule=rule,
        answer=kept_answer(value),
        probabilities=_probabilities(value, len(row["choices"])),
    )


def _probabilities(value: Any, choices: int) -> list[float] | None:
    found = value.get("probabilities") if isinstance(value, dict) else None
    if isinstance(found, dict):
        found = [found.get(letter) for letter in LETTERS[:choices]]
    if not isinstance(found, list) or len(found) != choices or not all(isinstance(p, (int, float)) for p in found):
        return None
    if not all(0 <= p <= 1 for p in found) or not math.isclose(sum(found), 1, abs_tol=0.01):
        return None
    return [float(p) for p in found]
