"""Seating puzzles: a second solver reads the English and tries every seating, with left and right from coordinates."""

from __future__ import annotations

import pytest
from seating_reader import solve

import puzzles
from puzzles.seating.frame import IN, NORTH, OUT, SOUTH, seating_frame

SEEDS = {"easy": 120, "medium": 100, "hard": 35}


@pytest.mark.parametrize("family", ["linear_seating", "circular_seating"])
@pytest.mark.parametrize("level", SEEDS)
def test_the_text_alone_has_the_key_as_its_only_answer(family, level):
    for seed in range(SEEDS[level]):
        puzzle = puzzles.generate(family, level, seed)
        right, _ = solve(puzzle.question, puzzle.choices)
        assert right == [puzzle.key], puzzle.question


@pytest.mark.parametrize("family", ["linear_seating", "circular_seating"])
def test_without_any_one_clue_the_key_is_not_settled(family):
    for seed in range(1000, 1020):
        puzzle = puzzles.generate(family, "medium", seed)
        _, clues = solve(puzzle.question, puzzle.choices)
        for drop in range(clues):
            try:
                right, _ = solve(puzzle.question, puzzle.choices, drop)
            except AssertionError:
                continue
            assert right != [puzzle.key], (drop, puzzle.question)


def test_facing_outward_swaps_left_and_right():
    inward, outward = (seating_frame("circle", (turn,) * 5).mask(("rel", 1, 0, "left", 1)) for turn in (IN, OUT))
    assert inward == seating_frame("circle", (OUT,) * 5).mask(("rel", 1, 0, "right", 1))
    assert inward & outward == 0


def test_who_faces_the_centre_has_the_next_person_clockwise_to_the_left():
    frame = seating_frame("circle", (IN,) * 4)
    (clockwise,) = frame.space.models(frame.at(1, 1) & frame.at(2, 2) & frame.at(3, 3))
    assert clockwise == (0, 1, 2, 3)
    assert frame.mask(("rel", 1, 0, "left", 1)) & frame.at(1, 1) == frame.at(1, 1)


def test_in_a_row_that_faces_south_the_left_neighbour_sits_to_the_east():
    north, south = seating_frame("row", (NORTH,) * 3), seating_frame("row", (SOUTH,) * 3)
    assert north.mask(("rel", 0, 1, "left", 1)) == north.at(0, 0) & north.at(1, 1) | north.at(0, 1) & north.at(1, 2)
    assert south.mask(("rel", 0, 1, "left", 1)) == south.at(0, 1) & south.at(1, 0) | south.at(0, 2) & south.at(1, 1)


def test_two_rows_face_each_other_so_one_rows_left_is_the_others_right():
    frame = seating_frame("rows", (SOUTH,) * 3 + (NORTH,) * 3)
    first, second = frame.mask(("rel", 0, 1, "left", 1)), frame.mask(("rel", 3, 4, "left", 1))
    facing = frame.facing(0, 3) & frame.facing(1, 4)
    assert first & facing
    assert first & second & facing == 0


def test_immediately_left_is_one_seat_and_somewhere_left_any():
    frame = seating_frame("row", (NORTH,) * 5)
    near, any_ = frame.mask(("rel", 0, 1, "left", 1)), frame.mask(("side", 0, 1, "left"))
    assert (near.bit_count(), any_.bit_count()) == (24, 60)
    assert near & ~any_ == 0


def test_nobody_sits_beyond_the_end_of_a_row_but_a_circle_goes_round():
    row, circle = seating_frame("row", (NORTH,) * 4), seating_frame("circle", (IN,) * 4)
    assert row.mask(("rel", 0, 1, "left", 3)) == row.at(0, 0) & row.at(1, 3)
    assert circle.mask(("rel", 0, 1, "left", 3)) == circle.mask(("rel", 0, 1, "right", 1))
