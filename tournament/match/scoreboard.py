"""The state of a match as its events tell it: a pure fold, the same live, in a report and after a kill."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from tournament.match.events import (
    SIDES,
    AnswerReceived,
    Event,
    KeyJudged,
    KeysShown,
    MatchEnded,
    MatchStarted,
    QuestionReceived,
    QuestionsFiltered,
    RunFinished,
    Side,
    TieBreakAnswer,
    other,
)

INNINGS: dict[int, Side] = {1: "home", 2: "away"}
"""Who asks in which innings."""


@dataclass
class Innings:
    """One team's questions and the other's answers."""

    number: int
    questions: dict[int, QuestionReceived] = field(default_factory=dict)
    filtered: QuestionsFiltered | None = None
    answers: dict[int, AnswerReceived] = field(default_factory=dict)
    keys: dict[int, KeyJudged] = field(default_factory=dict)
    shown: set[int] = field(default_factory=set)
    """Questions whose keys the log holds, in an event of their own."""
    ended: bool = False

    def show_keys(self, event: KeysShown) -> None:
        """Complete the questions that a log withheld."""
        for index, rest in event.rest.items():
            self.shown.add(index)
            received = self.questions.get(index)
            if received is not None and received.withheld:
                update = {"row": {**received.row, **rest}, "withheld": False}
                self.questions[index] = received.model_copy(update=update)

    @property
    def asker(self) -> Side:
        return INNINGS[self.number]

    @property
    def answerer(self) -> Side:
        return other(self.asker)

    @property
    def valid(self) -> int:
        """N: the questions that survived the filter; 0 until it has been applied."""
        return len(self.filtered.survivors) if self.filtered else 0

    @property
    def right(self) -> int:
        return sum(answer.outcome == "right" for answer in self.answers.values())

    @property
    def disqualified(self) -> bool:
        """Whether too few of the asker's questions survived."""
        return self.filtered is not None and self.filtered.disqualified

    def points(self, side: Side) -> Fraction:
        """0 to 100: the answerer's share of right answers, the asker's of the others. 0 for both while N is 0.

        Of answers still to come nobody has the points yet.
        """
        if not self.valid:
            return Fraction(0)
        count = self.right if side == self.answerer else len(self.answers) - self.right
        return Fraction(100 * count, self.valid)


@dataclass
class Scoreboard:
    """A match so far."""

    started: MatchStarted | None = None
    innings: dict[int, Innings] = field(default_factory=lambda: {n: Innings(n) for n in INNINGS})
    runs: list[RunFinished] = field(default_factory=list)
    tie_break: dict[Side, dict[int, TieBreakAnswer]] = field(default_factory=lambda: {side: {} for side in SIDES})
    ended: MatchEnded | None = None

    @classmethod
    def of(cls, events: Iterable[Event]) -> Scoreboard:
        board = cls()
        for event in events:
            board.apply(event)
        return board

    def apply(self, event: Event) -> None:
        """Takes the next event in. Of two that say the same thing twice the later one holds."""
        match event.type:
            case "match_started":
                self.started = event
            case "question_received":
                self.innings[event.innings].questions[event.index] = event
                self.innings[event.innings].shown.discard(event.index)
            case "questions_filtered":
                self.innings[event.innings].filtered = event
            case "answer_received":
                self.innings[event.innings].answers[event.index] = event
            case "keys_shown":
                self.innings[event.innings].show_keys(event)
            case "key_judged":
                self.innings[event.innings].keys[event.index] = event
            case "run_finished":
                self.runs.append(event)
            case "innings_ended":
                self.innings[event.innings].ended = True
            case "tie_break_answer":
                self.tie_break[event.side][event.index] = event
            case "match_ended":
                self.ended = event
            case "match_resumed":
                pass

    def score(self, side: Side) -> Fraction:
        """The sum over both innings, 0 to 200."""
        return sum((innings.points(side) for innings in self.innings.values()), Fraction(0))

    def disqualified(self, side: Side) -> bool:
        return any(innings.disqualified for innings in self.innings.values() if innings.asker == side)

    def tie_break_right(self, side: Side) -> int:
        return sum(answer.outcome == "right" for answer in self.tie_break[side].values())

    def leader(self) -> Side | None:
        """Who would have won if it ended now, but for the tie-break; None when nobody is ahead."""
        if self.disqualified("home") != self.disqualified("away"):
            return "away" if self.disqualified("home") else "home"
        return None if self.disqualified("home") else winner_by_points(self.score("home"), self.score("away"))

    def result(self) -> tuple[Side | None, str]:
        """The winner by the rules, None for a draw, and the reason in words."""
        out = [side for side in SIDES if self.disqualified(side)]
        if len(out) == 2:
            return None, "too few questions of either team survived the filter"
        if out:
            return other(out[0]), f"too few questions of {self._name(out[0])} survived the filter"
        home, away = self.score("home"), self.score("away")
        if (ahead := winner_by_points(home, away)) is not None:
            return ahead, f"{float(max(home, away)):.2f} points to {float(min(home, away)):.2f}"
        if not any(self.tie_break.values()):
            return None, f"{float(home):.2f} points each, and no closed set to break the tie"
        broke_home, broke_away = self.tie_break_right("home"), self.tie_break_right("away")
        ahead = winner_by_points(Fraction(broke_home), Fraction(broke_away))
        if ahead is None:
            return None, f"{float(home):.2f} points each, and {broke_home} right each on the closed set"
        most, least = max(broke_home, broke_away), min(broke_home, broke_away)
        return ahead, f"{float(home):.2f} points each; {most} right to {least} on the closed set"

    def _name(self, side: Side) -> str:
        return getattr(self.started, side).name if self.started else side


def winner_by_points(home: Fraction, away: Fraction) -> Side | None:
    """Who has more; None for as many."""
    if home == away:
        return None
    return "home" if home > away else "away"
