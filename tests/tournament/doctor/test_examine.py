"""The questions that an A-agent is examined with."""

from __future__ import annotations

import pytest
from arena_fakes import FEBRUARY

from agents.core.edition import load_edition
from agents.core.errors import InputError
from agents.core.rules import broken_question_rule
from aiac.commands.shared import puzzle_source
from tournament.doctor.examine import sample_questions
from tournament.match.token_counter import TokenCounter


@pytest.mark.parametrize("edition", ["jul2025_iisc", "oct2025_aiac", "feb2026_iitd"])
def test_samples_are_proved_questions_that_pass_the_filter_and_spread_their_keys(edition):
    rules = load_edition(edition)
    counter = TokenCounter("words", lambda text: len(text.split()))
    rows = sample_questions(20, rules, counter, puzzle_source(), seed=0)
    assert len({row["question"] for row in rows}) == 20
    assert all(broken_question_rule(row, counter.count, rules) is None for row in rows)
    assert {row["answer"] for row in rows} == set("ABCD")
    assert rows == sample_questions(20, rules, counter, puzzle_source(), seed=0)


def test_a_tokenizer_that_lets_no_puzzle_pass_is_refused():
    with pytest.raises(InputError, match="by which only 0 of our puzzles pass"):
        sample_questions(1, FEBRUARY, TokenCounter("huge", lambda text: 1000), puzzle_source(), seed=0)
