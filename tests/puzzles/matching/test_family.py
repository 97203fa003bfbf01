"""Matching puzzles: a second solver confirms the key from the English alone."""

from __future__ import annotations

import pytest
from matching_reader import solve

import puzzles


@pytest.mark.parametrize(("level", "seeds"), [("easy", 150), ("medium", 120), ("hard", 25)])
def test_the_text_alone_has_the_key_as_its_only_answer(level, seeds):
    for seed in range(seeds):
        puzzle = puzzles.generate("matching", level, seed)
        right, _ = solve(puzzle)
        assert right == [puzzle.key], puzzle.question


def test_without_any_one_clue_the_key_is_not_settled():
    for seed in range(1000, 1030):
        puzzle = puzzles.generate("matching", "medium", seed)
        for drop in range(solve(puzzle)[1]):
            with pytest.raises(AssertionError, match="only in some cases"):
                solve(puzzle, drop)
