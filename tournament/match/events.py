"""What happens in a match, as typed events: the only thing that is ever stored about one.

Text that teams wrote stands in fields of any JSON value (``row``, ``answer``), as they wrote it; whoever shows it must
escape it. Every other text is the referee's own.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from tournament.teams.protocol import Fault, FrozenModel, TeamEntry

VERSION: Literal[1] = 1
Side = Literal["home", "away"]
SIDES: tuple[Side, Side] = ("home", "away")
Delivery = Literal["on time", "late", "fault"]
AnswerOutcome = Literal["right", "wrong", "format", "malformed", "late", "fault"]
"""``format``: it passes the filter and scores nothing because it is not exactly one upper-case letter, as in ``b`` or
``B)``. ``malformed``: the filter makes it null. ``fault``: there was nothing to judge."""
KeyStatus = Literal["proved", "refuted", "agreed", "disputed", "unknown"]
"""The referee's view of a key: ``proved`` and ``refuted`` rest on a proof, ``agreed`` and ``disputed`` on a vote."""


class _Event(FrozenModel):
    v: Literal[1] = VERSION
    at_s: float
    """When it was written, in seconds of Unix time. Elapsed times never rest on it."""


class MatchStarted(_Event):
    type: Literal["match_started"] = "match_started"
    match_id: str
    edition: str
    home: TeamEntry
    away: TeamEntry
    questions: int
    """Asked for in each innings."""
    seed: int
    difficulty: str | None
    question_limit_s: float
    answer_limit_s: float
    tie_break: str | None = None
    """SHA-256 of the closed set; None where there is none."""
    tokenizer: str = ""
    """What counts tokens for the filter."""


class MatchResumed(_Event):
    type: Literal["match_resumed"] = "match_resumed"


class QuestionReceived(_Event):
    """The answer to one request for a question, or why there is none."""

    type: Literal["question_received"] = "question_received"
    innings: int
    index: int
    topic: str
    """As asked for; of a folder, which chooses by itself, as its row says, cut short."""
    seed: int | None
    elapsed_s: float | None
    """By the referee's clock; None for a row out of a batch, of which only the whole was timed."""
    delivery: Delivery
    row: Any = None
    withheld: bool = False
    """Whether ``row`` is the question as the answerer sees it: in a log, until ``keys_shown`` tells the rest."""
    fault: Fault | None = None


class QuestionsFiltered(_Event):
    type: Literal["questions_filtered"] = "questions_filtered"
    innings: int
    survivors: list[int]
    """What the organisers' filter leaves, by index: N is their number."""
    broken: dict[int, str]
    """The rule each row breaks that does not pass, by index."""
    disqualified: bool


class KeysShown(_Event):
    """The rest of questions that were withheld, which are answered, or will not be."""

    type: Literal["keys_shown"] = "keys_shown"
    innings: int
    rest: dict[int, dict[str, Any]]
    """Fields of the row that were left out, by index."""


class AnswerReceived(_Event):
    """One answer as the edition scores it."""

    type: Literal["answer_received"] = "answer_received"
    innings: int
    index: int
    elapsed_s: float | None
    outcome: AnswerOutcome
    letter: str | None = None
    """The choice it seems to mean, however it is written, late ones too; None where it means none."""
    rule: str = ""
    """What it broke, where it broke something."""
    answer: Any = None
    probabilities: list[float] | None = None
    """The team's distribution over the choices, where it gave one."""
    fault: Fault | None = None


class KeyJudged(_Event):
    """The referee's own view of a key. It never changes a score."""

    type: Literal["key_judged"] = "key_judged"
    innings: int
    index: int
    status: KeyStatus
    letter: str | None
    by: str
    probabilities: list[float] | None = None


class RunFinished(_Event):
    """One run of a submission folder's command line."""

    type: Literal["run_finished"] = "run_finished"
    side: Side
    innings: int
    """0 for the tie-break."""
    phase: Literal["questions", "answers"]
    elapsed_s: float
    limit_s: float
    exit_code: int | None
    output_bytes: int
    output_tail: str
    notes: list[str]
    """What the referee saw beside the result: files written outside outputs/, a kill, an odd exit."""


class InningsEnded(_Event):
    type: Literal["innings_ended"] = "innings_ended"
    innings: int


class TieBreakAnswer(_Event):
    """One answer to a question of the closed set, by one team's A-agent."""

    type: Literal["tie_break_answer"] = "tie_break_answer"
    side: Side
    index: int
    elapsed_s: float | None
    outcome: AnswerOutcome
    letter: str | None = None
    rule: str = ""
    fault: Fault | None = None


class MatchEnded(_Event):
    type: Literal["match_ended"] = "match_ended"
    winner: Side | None
    """None for a draw."""
    reason: str
    home_score: float
    away_score: float


Event = Annotated[
    MatchStarted
    | MatchResumed
    | QuestionReceived
    | QuestionsFiltered
    | KeysShown
    | AnswerReceived
    | KeyJudged
    | RunFinished
    | InningsEnded
    | TieBreakAnswer
    | MatchEnded,
    Field(discriminator="type"),
]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)
"""Reads one event from a JSON value. Raises pydantic's ValidationError."""


def other(side: Side) -> Side:
    return "away" if side == "home" else "home"
