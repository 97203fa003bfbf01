"""A puzzle's proof shows its key, and only its own."""

from __future__ import annotations

from typing import Any

import pytest

from aiac.commands.shared import puzzle_source
from puzzles.checking import ProofChecker
from tournament.match.key_judges import proved_letter
from tournament.teams.protocol import QuestionSpec, Row


def letter_of(row: Row, proof: Any) -> str | None:
    with ProofChecker() as checker:
        return proved_letter(row, proof, checker.proved_key)


@pytest.mark.parametrize("topic", ["Syllogisms", "Family tree logic", "Something else"])
def test_the_proof_of_a_puzzle_holds(topic):
    source = puzzle_source()
    row = source.question(QuestionSpec(topic, "easy", 4))
    assert letter_of(row, source.proof(row)) == row["answer"]


def test_a_proof_of_another_question_or_a_forged_one_proves_nothing():
    source = puzzle_source()
    row, other = (source.question(QuestionSpec("Syllogisms", "easy", seed)) for seed in (1, 2))
    proof = source.proof(row)
    assert letter_of(other, proof) is None
    assert letter_of(row, {**proof, "key": (proof["key"] + 1) % 4}) is None
    assert letter_of({**row, "choices": ["A) x", "B) y", "C) z", "D) w"]}, proof) is None
    for nonsense in (None, 5, {}, {**proof, "certificate": None}, {**proof, "family": "none"}):
        assert letter_of(row, nonsense) is None
    for name in ("none.easy.1", "syllogism.easy", "syllogism.easy.x", "syllogism.easy." + "9" * 5_000, [], None):
        assert source.proof({**row, "id": name}) is None


def test_a_proof_holds_in_another_order_of_the_choices():
    source = puzzle_source()
    row = source.question(QuestionSpec("Syllogisms", "easy", 1))
    texts = [choice[3:] for choice in row["choices"]]
    turned = [f"{letter}) {text}" for letter, text in zip("ABCD", texts[1:] + texts[:1], strict=True)]
    found = letter_of({**row, "choices": turned}, source.proof(row))
    assert found == "DABC"["ABCD".index(row["answer"])]
