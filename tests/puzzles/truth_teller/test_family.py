"""Truth-tellers and liars: a second solver confirms the key from the English alone."""

from __future__ import annotations

import pytest
from truth_teller_reader import solve

import puzzles
from puzzles.truth_teller.frame import TruthTellerFrame


@pytest.mark.parametrize("level", ["easy", "medium", "hard"])
def test_the_text_alone_has_the_key_as_its_only_answer(level):
    for seed in range(200):
        puzzle = puzzles.generate("truth_teller", level, seed)
        right, _ = solve(puzzle)
        assert right == [puzzle.key], puzzle.question


def test_without_any_one_statement_the_key_is_not_settled():
    for seed in range(1000, 1060):
        puzzle = puzzles.generate("truth_teller", "medium", seed)
        for drop in range(solve(puzzle)[1]):
            with pytest.raises(AssertionError, match="only in some cases"):
                solve(puzzle, drop)


def test_nobody_can_say_that_they_lie():
    assert TruthTellerFrame(2, culprit=False).mask(("says", 0, ("is", 0, 0))) == 0


def test_we_are_both_liars_is_said_by_a_liar_of_a_truth_teller():
    frame = TruthTellerFrame(2, culprit=False)
    mask = frame.mask(("says", 0, ("and", 0, 0, 1, 0)))
    assert frame.space.models(mask, 9) == [(0, 1, 0)]


def test_two_who_call_each_other_liars_are_of_different_types():
    frame = TruthTellerFrame(2, culprit=False)
    mask = frame.mask(("says", 0, ("is", 1, 0))) & frame.mask(("says", 1, ("is", 0, 0)))
    assert {model[:2] for model in frame.space.models(mask, 9)} == {(0, 1), (1, 0)}


def test_he_is_of_my_type_is_said_only_of_truth_tellers():
    frame = TruthTellerFrame(2, culprit=False)
    assert {model[1] for model in frame.space.models(frame.mask(("says", 0, ("same", 0, 1))), 9)} == {1}
