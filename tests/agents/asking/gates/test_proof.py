"""The proof gate proves a puzzle anew and refuses a proof of anything else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from question_fakes import proved, refusal, unproved

from agents.asking.gates.proof import ProofGate


def test_the_proof_gate_lets_through_what_was_proved_in_any_order_of_the_choices():
    for seed in range(5):
        assert refusal(ProofGate(), proved(seed)) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda p: replace(p, question=replace(p.question, key=((p.question.key or 0) + 1) % 4)),
        lambda p: replace(p, question=replace(p.question, text=p.question.text + " ")),
        lambda p: replace(p, question=replace(p.question, choices=("x", *p.question.choices[1:]))),
        lambda p: replace(p, explanation="Because I say so."),
        lambda p: replace(p, level="hard"),
        lambda p: replace(p, difficulty=3.0),
        lambda p: replace(p, fingerprint="0" * 32),
        lambda p: replace(p, proof=proved(99).proof),
    ],
    ids=["key", "text", "choice", "explanation", "level", "difficulty", "fingerprint", "another puzzle's proof"],
)
def test_a_proof_of_something_else_than_what_would_be_asked_is_refused(change):
    assert refusal(ProofGate(), change(proved(2))) == "proof of another text"


def test_a_missing_or_forged_proof_is_refused():
    proposal = proved(2)
    proof = dict(proposal.proof or {})
    assert refusal(ProofGate(), replace(proposal, proof=None)) == "no proof"
    assert refusal(ProofGate(), unproved(1)) == "no proof"
    assert refusal(ProofGate(), replace(proposal, proof={**proof, "key": (proof["key"] + 1) % 4})) == (
        "proof does not hold"
    )
    assert refusal(ProofGate(), replace(proposal, proof={})) == "proof does not hold"
    assert refusal(ProofGate(), replace(proposal, proof={**proof, "family": "chess"})) == "proof of no known family"
