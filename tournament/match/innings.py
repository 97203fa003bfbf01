"""An innings: one team's questions through the filter, the other team's answers through the scoring.

Everything is decided on the board, which the log fills: what is there already is never asked for again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from agents.core.edition import Edition
from agents.core.rules import broken_question_rule, filter_questions
from tournament.match.answers import MAX_TOPIC_CHARS, have_answered
from tournament.match.context import MatchContext, run_event
from tournament.match.events import Delivery, Event, InningsEnded, QuestionReceived, QuestionsFiltered
from tournament.match.scoreboard import Innings
from tournament.match.withholding import keys_shown, unknown
from tournament.teams.protocol import AnyTeam, BatchTeam, Fault, QuestionSpec
from tournament.untrusted import clip, kept_question, printable

MAX_QUESTIONS = 10_000
"""In one innings: seeds of one match must not run into each other."""


def request_for(edition: Edition, innings: int, index: int, seed: int, difficulty: str | None) -> QuestionSpec:
    """What question ``index`` of an innings asks for: the edition's topics in turn, a seed of its own."""
    topics = [topic for names in edition.topics.values() for topic in names]
    return QuestionSpec(topics[index % len(topics)], difficulty, (seed * 2 + innings - 1) * MAX_QUESTIONS + index)


def play_questions(context: MatchContext, innings: Innings, asker: AnyTeam) -> None:
    """Ask for the questions that are still missing, then apply the filter."""
    match = context.description
    missing = unknown(innings, match.questions)
    if isinstance(asker, BatchTeam):
        if missing:
            _ask_in_one_run(context, innings, asker, missing)
    else:
        limit_s = context.edition.question_seconds
        for index in missing:
            request = request_for(context.edition, innings.number, index, match.seed, match.difficulty)
            found = context.timed(partial(asker.ask, request), limit_s)
            late = found.elapsed_s > limit_s
            known = {"topic": request.topic, "seed": request.seed, "elapsed_s": found.elapsed_s}
            context.record(_received(context, innings, index, found.value, found.fault, late=late, **known))
    if innings.filtered is None or missing:
        filtered = _filtered(context, innings, match.questions)
        unasked = [i for i in range(match.questions) if filtered.disqualified or i not in filtered.survivors]
        context.record(filtered, *keys_shown(innings, unasked, context.now()))


def play_answers(context: MatchContext, innings: Innings, answerer: AnyTeam) -> None:
    """Has what survived answered, but for what is answered already. Of a disqualified team nothing is answered."""
    if innings.filtered is None or innings.disqualified:
        return
    missing = [index for index in innings.filtered.survivors if index not in innings.answers]
    rows = {index: innings.questions[index].row for index in missing}

    def shown(answered: Sequence[int]) -> list[Event]:
        return keys_shown(innings, answered, context.now())

    have_answered(context, answerer, innings.answerer, innings.number, rows, before=shown)


def end_innings(context: MatchContext, innings: Innings) -> None:
    """Marks the innings as over and makes sure that it is on the disk."""
    if not innings.ended:
        context.record(InningsEnded(at_s=context.now(), innings=innings.number))
        context.log.sync()


def _ask_in_one_run(context: MatchContext, innings: Innings, asker: BatchTeam, missing: Sequence[int]) -> None:
    total_s = context.edition.question_seconds * len(missing)
    batch, elapsed_s = context.timed_run(lambda: asker.ask_all(len(missing), total_s))
    events: list[Event] = [run_event(context, innings.asker, innings.number, "questions", batch, elapsed_s, total_s)]
    for place, index in enumerate(missing):
        value, fault = batch.row(place)
        late = elapsed_s > total_s
        events.append(_received(context, innings, index, value, fault, late=late, seed=None, elapsed_s=None))
    context.record(*events)


def _received(
    context: MatchContext, innings: Innings, index: int, value: Any, fault: Fault | None, *, late: bool, **known: Any
) -> QuestionReceived:
    row = None if fault else kept_question(value)
    if "topic" not in known:
        topic = row.get("topic") if isinstance(row, dict) else None
        known["topic"] = printable(clip(topic, MAX_TOPIC_CHARS)) if isinstance(topic, str) else ""
    delivery: Delivery = "fault" if fault else "late" if late else "on time"
    place = {"at_s": context.now(), "innings": innings.number, "index": index}
    return QuestionReceived(**place, **known, delivery=delivery, row=row, fault=fault)


def _filtered(context: MatchContext, innings: Innings, number: int) -> QuestionsFiltered:
    """The filter on the rows that came in time. The others leave their places empty: the halves are of ``number``."""
    received = [innings.questions[index] for index in range(number)]
    rows = [question.row if question.delivery == "on time" else None for question in received]
    before = innings.filtered.broken if innings.filtered else {}
    passed = {id(row) for row in filter_questions(rows, context.count_tokens, context.edition)}
    broken: dict[int, str] = {}
    for index, row in enumerate(rows):
        if received[index].delivery == "on time" and id(row) not in passed:
            rule = before.get(index) or broken_question_rule(row, context.count_tokens, context.edition)
            broken |= {} if rule is None else {index: rule}
    survivors = [index for index, row in enumerate(rows) if row is not None and id(row) in passed]
    return QuestionsFiltered(
        at_s=context.now(),
        innings=innings.number,
        survivors=survivors,
        broken=broken,
        disqualified=len(survivors) < context.edition.survival_fraction * number,
    )
