"""Scripted teams under a clock that only they move, and matches to play."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.core.edition import Edition, load_edition
from tournament.match.context import MatchContext
from tournament.match.description import MatchDescription
from tournament.match.events import Event
from tournament.match.log import EventLog, read_log
from tournament.match.referee import play_match
from tournament.match.scoreboard import Scoreboard
from tournament.match.token_counter import TokenCounter
from tournament.teams.protocol import Batch, Fault, QuestionSpec, Row, TeamEntry, TeamFaultError

FEBRUARY = load_edition("feb2026_iitd")
"""13 s a question, 9 s an answer, half must survive."""


def count_words(text: str) -> int:
    return len(text.split())


WORDS = TokenCounter("", count_words)


def match_of(questions: int, edition: Edition = FEBRUARY, **changes: Any) -> MatchDescription:
    """A match by a tokenizer that counts words."""
    return MatchDescription(edition, WORDS, questions, **changes)


class FakeClock:
    """Seconds that pass only when somebody says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds


def question(number: int = 0, key: Any = "B", **changes: Any) -> Row:
    """A question that passes the filter."""
    return {
        "topic": "Syllogisms",
        "question": f"Which is number {number}?",
        "choices": [f"A) one {number}", f"B) two {number}", f"C) three {number}", f"D) four {number}"],
        "answer": key,
        "explanation": "It is.",
        **changes,
    }


@dataclass
class Item:
    """One delivery: a value or a fault, after some seconds."""

    value: Any = None
    seconds: float = 0.1
    fault: Fault | None = None

    def deliver(self, clock: FakeClock) -> Any:
        clock.pass_by(self.seconds)
        if self.fault is not None:
            raise TeamFaultError(self.fault)
        return self.value


def on_time(value: Any) -> Item:
    return Item(value)


@dataclass
class ScriptedTeam:
    """Asks ``questions`` in their order and answers by ``answers``, in order or by a function of the question."""

    clock: FakeClock
    name: str = "scripted"
    questions: Sequence[Item] = ()
    answers: Sequence[Item] | Callable[[Row], Item] = ()
    proofs: dict[str, Any] = field(default_factory=dict)
    asked: list[QuestionSpec] = field(default_factory=list)
    seen: list[Row] = field(default_factory=list)

    @property
    def entry(self) -> TeamEntry:
        return TeamEntry(name=self.name, kind="scripted", where="tests")

    def ask(self, request: QuestionSpec, timeout_s: float) -> Any:
        self.asked.append(request)
        return self.questions[request.seed % 10_000].deliver(self.clock)

    def answer(self, question: Row, timeout_s: float) -> Any:
        self.seen.append(question)
        answers = self.answers
        item = answers(question) if callable(answers) else answers[len(self.seen) - 1]
        return item.deliver(self.clock)

    def proof(self, row: Row) -> Any:
        return self.proofs.get(row["question"])

    def close(self) -> None:
        return


@dataclass
class ScriptedFolder:
    """A team that is run once for all questions, and once for all answers."""

    clock: FakeClock
    questions: Sequence[Any] = ()
    answers: Sequence[Any] = ()
    seconds: float = 1.0
    fault: Fault | None = None
    asked_for: list[int] = field(default_factory=list)

    @property
    def entry(self) -> TeamEntry:
        return TeamEntry(name="folder", kind="folder", where="tests")

    def ask_all(self, number: int, limit_s: float) -> Batch:
        self.asked_for.append(number)
        self.clock.pass_by(self.seconds)
        return Batch(self.questions[:number], self.fault, exit_code=0)

    def answer_all(self, questions: Sequence[Row], limit_s: float) -> Batch:
        self.asked_for.append(len(questions))
        self.clock.pass_by(self.seconds)
        return Batch(self.answers[: len(questions)], self.fault, exit_code=0)

    def close(self) -> None:
        return


def good_team(clock: FakeClock, number: int, *, name: str = "good", letter: str = "B") -> ScriptedTeam:
    """Asks ``number`` valid questions whose key is B, and answers every question with ``letter``."""
    return ScriptedTeam(
        clock,
        name,
        [on_time(question(i)) for i in range(number)],
        lambda _: on_time({"answer": letter, "reasoning": "So it is."}),
    )


@dataclass
class Played:
    """A match that was played, and its log read back."""

    board: Scoreboard
    events: list[Event]
    path: Path


def play(
    path: Path,
    clock: FakeClock,
    home: Any,
    away: Any,
    match: MatchDescription,
    *,
    judges: Any = (),
) -> Played:
    """A match under ``clock``, with its log at ``path``."""
    with EventLog(path) as log:
        context = MatchContext(match, log, Scoreboard.of(log.events), clock=clock, now=lambda: 0.0)
        board = play_match(context, home, away, judges)
    return Played(board, read_log(path), path)
