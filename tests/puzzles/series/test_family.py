"""Series: a second solver reads the English and tries every rule of the declared family by brute force."""

from __future__ import annotations

import pytest
from series_reader import bits, brute, solve

import puzzles
from puzzles.series.rules import description_bits, fitting, terms


@pytest.mark.parametrize("level", ["easy", "medium", "hard"])
def test_the_shortest_rules_give_the_key_and_no_rule_another_choice(level):
    for seed in range(60):
        puzzle = puzzles.generate("series", level, seed)
        assert solve(puzzle) in (None, [[puzzle.key], [puzzle.key]]), puzzle.question


@pytest.mark.parametrize(
    ("shown", "letters"),
    [
        ((3, 6, 9, None), False),
        ((2, 4, 8, 16, None), False),
        ((1, 4, 9, None, 25), False),
        ((2, 3, 5, 7, None), False),
        ((1, 1, 2, 3, 5, None), False),
        ((5, 7, 14, 16, None), False),
        ((0, 2, 4, None), True),
        ((25, 1, 4, None, 12), True),
    ],
)
def test_the_solver_finds_the_rules_that_brute_force_finds(shown, letters):
    assert {
        rule: terms(rule, shown[0], len(shown), letters)[shown.index(None)] for rule in fitting(shown, letters)
    } == brute(shown, letters)
    assert all(description_bits(rule) == pytest.approx(bits(rule)) for rule in fitting(shown, letters))


def test_letters_go_round_from_z_to_a():
    assert terms(("add", 2), 24, 3, letters=True) == [24, 0, 2]
    assert ("add", 2) in fitting((24, 0, None), letters=True)
