"""A league: every team against every other, and how strong that makes each.

A question is a duel: the answerer wins it with a right answer, the asker otherwise. Ratings are those of Bradley and
Terry (1952) over all duels; since in every match both teams ask as often as they answer, that asking is easier than
answering, or harder, favours nobody. What a duel counts is scaled so that an innings of few valid questions weighs as
much as one of many: so does it in the tournament's points.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from agents.support.missing_package import missing_package
from tournament.match.scoreboard import Innings, Scoreboard
from tournament.teams.names import require_distinct, slug

if TYPE_CHECKING:
    import numpy as np

CENTRE = 1000.0
POINTS_PER_DECADE = 400.0
"""As in chess: 400 points more are odds of ten to one."""
PRIOR_DUELS = 1.0
"""Drawn duels added to every pair: without them a team that won everything would be infinitely strong."""
RESAMPLES = 1_000
LOW, HIGH = 2.5, 97.5
"""Percentiles of the interval."""

Pair = tuple[str, str]


@dataclass(frozen=True)
class Rating:
    """A team's strength, with its 95% bootstrap interval over questions."""

    team: str
    rating: float
    low: float
    high: float
    won: int
    drawn: int
    lost: int


@dataclass(frozen=True)
class Strength:
    """A team on one topic: its A-agent on the others' questions, and its Q-agent against the others."""

    team: str
    topic: str
    answered: int
    right: int
    asked: int
    """Its questions that counted."""
    unanswered: int
    """Of these, those that were not answered right."""


@dataclass(frozen=True)
class League:
    """What a league came to. ``points`` holds those of the first team of each pair of names, in both orders."""

    ratings: list[Rating]
    points: dict[Pair, float]
    strengths: list[Strength]

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "ratings": [asdict(rating) for rating in self.ratings],
            "points": [{"team": pair[0], "against": pair[1], "points": points} for pair, points in self.points.items()],
            "strengths": [asdict(strength) for strength in self.strengths],
        }


def pairings(names: Iterable[str]) -> list[Pair]:
    """Who plays whom, the home team first: everybody once against everybody, at home about half of the time."""
    return [(a, b) if (i + j) % 2 else (b, a) for (i, a), (j, b) in itertools.combinations(list(enumerate(names)), 2)]


def league_logs(source: str, names: Iterable[str], edition: str) -> dict[Pair, str]:
    """Return the name of each pairing's log, always the same.

    ``source`` names the file of teams in the InputError that is raised when two short names are the same.
    """
    short = {name: slug(name) for name in names}
    require_distinct(source, ((repr(name), slug) for name, slug in short.items()))
    logs = {(home, away): f"{edition}-{short[home]}-{short[away]}.jsonl" for home, away in pairings(short)}
    # "a" against "b c" and "a b" against "c" are written alike.
    require_distinct(source, ((f"{home!r} against {away!r}", log) for (home, away), log in logs.items()))
    return logs


def match_seed(seed: int, pair: Pair) -> int:
    """The seed of a league's match, below 2^31: with one for all, every match would ask the same questions.

    It depends on the names and not on the order of the matches, so that a team may join a league that goes on.
    """
    return int.from_bytes(hashlib.sha256(json.dumps([seed, *pair]).encode()).digest()[:4], "big") >> 1


def standings(matches: Mapping[Pair, Scoreboard], *, seed: int = 0) -> League:
    """A league's table out of its matches, by (home, away). Raises MissingExtraError without evalica."""
    names = sorted({name for pair in matches for name in pair})
    points: dict[Pair, float] = {}
    for (home, away), board in matches.items():
        points[home, away] = float(board.score("home"))
        points[away, home] = float(board.score("away"))
    duels = [duel for pair, board in matches.items() for duel in _duels(pair, board)]
    return League(_ratings(names, matches, duels, seed), points, _strengths(matches))


@dataclass(frozen=True)
class _Duels:
    """An innings: who asked, who answered, how many of how many questions were answered right."""

    asker: str
    answerer: str
    right: int
    valid: int
    weight: float
    """Of one question."""


def _duels(pair: Pair, board: Scoreboard) -> list[_Duels]:
    sides = dict(zip(("home", "away"), pair, strict=True))
    wanted = board.started.questions if board.started else 0
    found = []
    for innings in board.innings.values():
        asker, answerer = sides[innings.asker], sides[innings.answerer]
        if innings.disqualified:
            # It is out, and that must not be worth less to the other than having answered everything.
            found.append(_Duels(asker, answerer, wanted, wanted, 1.0))
        elif innings.valid:
            found.append(_Duels(asker, answerer, innings.right, innings.valid, wanted / innings.valid))
    return found


def _ratings(
    names: Sequence[str], matches: Mapping[Pair, Scoreboard], duels: Sequence[_Duels], seed: int
) -> list[Rating]:
    try:
        import numpy as np
        from evalica import bradley_terry  # noqa: F401
    except ImportError as error:
        raise missing_package(error.name, "arena") from None
    right = np.array([duel.right for duel in duels])
    valid = np.array([duel.valid for duel in duels])
    best = _fit(names, duels, right)
    # Drawing an innings' questions again with replacement draws its number of right answers from a binomial.
    drawn = np.random.default_rng(seed).binomial(valid, right / valid, size=(RESAMPLES, len(duels)))
    resampled = np.array([_fit(names, duels, row) for row in drawn])
    low, high = np.percentile(resampled, [LOW, HIGH], axis=0)
    records = {name: _record(name, matches) for name in names}
    ratings = [
        Rating(name, float(best[i]), float(low[i]), float(high[i]), *records[name]) for i, name in enumerate(names)
    ]
    return sorted(ratings, key=lambda rating: -rating.rating)


def _fit(names: Sequence[str], duels: Sequence[_Duels], right: Sequence[int] | np.ndarray[Any, Any]) -> list[float]:
    """Ratings in the order of ``names``, around ``CENTRE``."""
    from evalica import Winner, bradley_terry

    rows: list[tuple[str, str, Any, float]] = [
        (a, b, Winner.Draw, PRIOR_DUELS) for a, b in itertools.combinations(names, 2)
    ]
    for duel, answered in zip(duels, right, strict=True):
        rows.append((duel.answerer, duel.asker, Winner.X, float(answered) * duel.weight))
        rows.append((duel.answerer, duel.asker, Winner.Y, float(duel.valid - answered) * duel.weight))
    xs, ys, winners, weights = (list(column) for column in zip(*rows, strict=True))
    scores = bradley_terry(xs, ys, winners, weights=weights, tolerance=1e-8, limit=10_000).scores
    logs = [math.log10(scores[name]) for name in names]
    mean = math.fsum(logs) / len(logs)
    return [CENTRE + POINTS_PER_DECADE * (value - mean) for value in logs]


def _record(name: str, matches: Mapping[Pair, Scoreboard]) -> tuple[int, int, int]:
    """Matches won, drawn and lost."""
    won = drawn = lost = 0
    for pair, board in matches.items():
        if name in pair:
            winner, _ = board.result()
            winner_name = None if winner is None else pair[winner == "away"]
            won += winner_name == name
            drawn += winner_name is None
            lost += winner_name not in (None, name)
    return won, drawn, lost


def _strengths(matches: Mapping[Pair, Scoreboard]) -> list[Strength]:
    counts: dict[tuple[str, str], list[int]] = {}
    for pair, board in matches.items():
        sides = dict(zip(("home", "away"), pair, strict=True))
        for innings in board.innings.values():
            for topic, right in _by_topic(innings):
                answerer = counts.setdefault((sides[innings.answerer], topic), [0, 0, 0, 0])
                asker = counts.setdefault((sides[innings.asker], topic), [0, 0, 0, 0])
                answerer[0] += 1
                answerer[1] += right
                asker[2] += 1
                asker[3] += not right
    return [Strength(team, topic, *numbers) for (team, topic), numbers in sorted(counts.items())]


def _by_topic(innings: Innings) -> Iterable[tuple[str, bool]]:
    for index, answer in innings.answers.items():
        yield innings.questions[index].topic, answer.outcome == "right"
