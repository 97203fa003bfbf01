"""Ratings against a likelihood maximised here by other means, and the league's tables counted by hand."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
from arena_fakes import FakeClock, ScriptedTeam, match_of, on_time, play, question
from scipy.optimize import minimize

from tournament.league import League, pairings, standings
from tournament.match.scoreboard import Scoreboard

RIGHT = {"strong": 18, "middle": 10, "weak": 3}
"""How many of 20 questions each answers right, whoever asks."""


def team(clock: FakeClock, name: str, right: int, number: int) -> ScriptedTeam:
    letters = {question(i)["question"]: "B" if i < right else "C" for i in range(number)}
    asks = [on_time(question(i)) for i in range(number)]
    return ScriptedTeam(clock, name, asks, lambda q: on_time({"answer": letters[q["question"]]}))


def matches(folder: Path, right: dict[str, int], number: int = 20) -> dict[tuple[str, str], Scoreboard]:
    clock = FakeClock()
    found = {}
    for home, away in pairings(right):
        teams = [team(clock, name, right[name], number) for name in (home, away)]
        found[home, away] = play(folder / f"{home}-{away}", clock, *teams, match_of(number)).board
    return found


@pytest.fixture
def league(tmp_path) -> League:
    return standings(matches(tmp_path, RIGHT), seed=1)


def test_everybody_plays_everybody_once_and_at_home_about_half_of_the_time():
    names = list("abcdef")
    pairs = pairings(names)
    assert sorted(map(sorted, pairs)) == sorted(map(list, itertools.combinations(names, 2)))
    assert all(2 <= sum(home == name for home, _ in pairs) <= 3 for name in names)


def test_ratings_are_those_of_greatest_likelihood(league):
    names = sorted(RIGHT)

    def unlikelihood(strengths) -> float:
        """−ln of the Bradley–Terry likelihood of all duels, and a drawn one for each pair."""
        strength = dict(zip(names, strengths, strict=True))
        total = 0.0
        for a, b in itertools.permutations(names, 2):
            # b asks 20 questions, a answers them; a draw is half a win for each.
            a_wins = math.log(1 / (1 + math.exp(strength[b] - strength[a])))
            b_wins = math.log(1 / (1 + math.exp(strength[a] - strength[b])))
            total -= RIGHT[a] * a_wins + (20 - RIGHT[a]) * b_wins + 0.5 * a_wins
        return total

    found = minimize(unlikelihood, [0.0] * 3, tol=1e-10).x
    expected = {name: 1000 + 400 / math.log(10) * (x - found.mean()) for name, x in zip(names, found, strict=True)}
    assert [rating.team for rating in league.ratings] == ["strong", "middle", "weak"]
    for rating in league.ratings:
        assert rating.rating == pytest.approx(expected[rating.team], abs=0.1)


def test_intervals_hold_the_rating_and_narrow_with_more_questions(tmp_path, league):
    more = standings(matches(tmp_path / "more", {name: right * 10 for name, right in RIGHT.items()}, 200), seed=1)
    for few, many in zip(league.ratings, more.ratings, strict=True):
        assert few.low < few.rating < few.high
        assert 2 < (few.high - few.low) / (many.high - many.low) < 5


def test_the_same_seed_gives_the_same_intervals(tmp_path, league):
    assert standings(matches(tmp_path / "again", RIGHT), seed=1) == league


def test_points_and_records_are_those_of_the_matches(league):
    # strong answers 90%, middle 50%: 90 + 50 to 50 + 10.
    assert league.points["strong", "middle"] == 140
    assert league.points["middle", "strong"] == 60
    assert [(r.won, r.drawn, r.lost) for r in league.ratings] == [(2, 0, 0), (1, 0, 1), (0, 0, 2)]


def test_a_team_that_wins_everything_has_a_finite_rating(tmp_path):
    found = standings(matches(tmp_path, {"all": 20, "none": 0}))
    assert all(math.isfinite(value) for r in found.ratings for value in (r.rating, r.low, r.high))


def test_strengths_by_topic_count_both_agents(league):
    strong = [each for each in league.strengths if each.team == "strong"]
    # Two opponents, 20 questions each way, four topics in turn.
    assert [(each.answered, each.asked) for each in strong] == [(10, 10)] * 4
    assert sum(each.right for each in strong) == 36
    assert sum(each.unanswered for each in strong) == (20 - 10) + (20 - 3)


def test_a_disqualified_team_does_not_gain_by_it(tmp_path):
    clock = FakeClock()
    out = ScriptedTeam(clock, "out", [on_time(None)] * 4, lambda _: on_time({"answer": "B"}))
    board = play(tmp_path / "log", clock, out, team(clock, "in", 0, 4), match_of(4)).board
    found = standings({("out", "in"): board})
    # One innings lost outright by disqualification, the other won outright by answers.
    assert [round(rating.rating) for rating in found.ratings] == [1000, 1000]
    assert {rating.team: (rating.won, rating.lost) for rating in found.ratings} == {"out": (0, 1), "in": (1, 0)}
