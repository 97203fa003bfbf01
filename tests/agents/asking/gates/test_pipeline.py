"""Drafts are parsed, and a solver's pass all gates."""

from __future__ import annotations

import json

import pytest
from question_fakes import BEES, animals, proved, refusal

from agents.asking.gates.pipeline import parse_draft
from agents.asking.gates.proof import ProofGate
from agents.asking.gates.text import text_gates
from agents.asking.proposal import RejectedError
from agents.core.edition import edition_names, load_edition
from agents.core.schema import Question
from agents.core.token_estimate import estimate_tokens
from agents.core.topics import edition_topics


def test_a_draft_is_read_from_json_text_or_an_object_on_the_topic_it_was_asked_for():
    for row in (BEES, json.dumps(BEES), {**BEES, "topic": "something else"}):
        proposal = parse_draft(animals(row))
        assert proposal.question == Question(
            BEES["question"], ("Honey", "Concrete", "Paper money", "Electricity"), "Animals", 0
        )
        assert proposal.explanation == BEES["explanation"]
        assert (proposal.proposer, proposal.level, proposal.proof) == ("model", "hard", None)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("10000000 10000", "not JSON"),
        ('{"question": "cut off', "not JSON"),
        ("[" * 5000, "not JSON"),
        ("5", "no question row to read"),
        ({**BEES, "question": " "}, "no question to read"),
        ({**BEES, "choices": "A) x"}, "no choices to read"),
        ({**BEES, "choices": ["A) x", "B) x", "C) y", "D) z"]}, "no choices to read"),
        ({**BEES, "choices": ["A) x", "B) y", "C) z"]}, "not four choices"),
        ({**BEES, "answer": "E"}, "no key"),
        ({**BEES, "answer": None}, "no key"),
    ],
)
def test_a_draft_that_cannot_be_read_is_refused(row, reason):
    with pytest.raises(RejectedError) as caught:
        parse_draft(animals(row))
    assert caught.value.reason == reason


@pytest.mark.parametrize("edition", edition_names())
def test_a_solvers_questions_pass_all_gates_but_for_the_advertised_length(edition):
    limits = load_edition(edition)
    gates = [*text_gates(limits, estimate_tokens), ProofGate()]
    passed = 0
    for topic in edition_topics(limits):
        for seed in range(10):
            proposal = proved(seed, topic.name, "medium")
            reasons = {refusal(gate, proposal) for gate in gates} - {None}
            assert reasons <= {"more tokens than advertised"}
            passed += not reasons
    assert passed >= 0.7 * 10 * len(edition_topics(limits))
