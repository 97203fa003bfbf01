"""Proved puzzles as the questions of opponents made here."""

from __future__ import annotations

import pytest

from aiac.commands.shared import puzzle_source
from tournament.teams.protocol import QuestionSpec


@pytest.mark.parametrize("topic", ["Syllogisms", "Family tree logic", "Something else"])
def test_opponents_made_here_ask_puzzles_of_the_topic_with_a_proof_that_holds(topic):
    source = puzzle_source()
    row = source.question(QuestionSpec(topic, "easy", 4))
    assert row["topic"] == topic
    assert source.proof(row)["question"] == row["question"]
    assert source.proof({**row, "id": "none.easy.1"}) is None
    assert source.question(QuestionSpec(topic, "easy", 4)) == row
