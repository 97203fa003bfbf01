"""Proofs that would hang or exhaust whoever checks them: a verdict on each, within seconds."""

from __future__ import annotations

import copy
import json
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

import puzzles
from puzzles.checking import ProofChecker
from puzzles.family import from_json
from puzzles.generator import family_named
from puzzles.puzzle import ProofError

VERDICT_S = 5.0
HUGE = 3_000
Proof = dict[str, Any]


@pytest.fixture(scope="module")
def checker() -> Iterator[ProofChecker]:
    with ProofChecker() as one:
        yield one


def proof_of(family: str, seed: int = 1, level: str = "hard") -> Proof:
    proof: Proof = json.loads(json.dumps(puzzles.generate(family, level, seed).to_json()))
    return proof


def with_structure(proof: Proof, **changes: Any) -> Proof:
    """``proof`` with another structure, and with the text that this structure has, where it has one."""
    forged = copy.deepcopy(proof)
    structure = forged["certificate"]["structure"] = {**forged["certificate"]["structure"], **changes}
    maker = family_named(forged["family"])
    try:
        text = maker.render(from_json(maker.structure, structure))
    except Exception:
        return forged
    return {**forged, "question": text.question, "choices": list(text.choices)}


def verdict(checker: ProofChecker, proof: Any) -> Any:
    """The key, or the sentence that refuses it; within the time."""
    started = time.monotonic()
    try:
        found: Any = checker.proved_key(proof, proof["question"], proof["choices"])
    except ProofError as error:
        found = str(error)
    assert time.monotonic() - started < VERDICT_S
    return found


@pytest.mark.parametrize("family", puzzles.FAMILIES)
def test_an_honest_proof_holds(checker, family):
    proof = proof_of(family)
    assert verdict(checker, proof) == proof["key"]


@pytest.mark.parametrize("steps", [8, 9, 32, 200])
def test_a_chain_of_many_relatives_is_refused(checker, steps):
    pointing = next(p for s in range(99) if (p := proof_of("blood_relation", s))["certificate"]["structure"]["steps"])
    siblings = [["brother", False]] * steps
    refusal = verdict(checker, with_structure(pointing, steps=siblings))
    assert isinstance(refusal, str)
    if steps > 8:
        assert "found" in refusal


@pytest.mark.parametrize("letters", [24, 32, 33, 20_000])
def test_a_long_letter_pattern_is_refused(checker, letters):
    pattern = next(
        p for s in range(99) if (p := proof_of("series", s))["certificate"]["structure"]["style"] == "pattern"
    )
    shown = [[None, *[1] * (letters - 1)]]
    assert isinstance(verdict(checker, with_structure(pattern, shown=shown, choices=[[1], [2], [3], [4]])), str)


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("linear_seating", {"question": ["who", 0, [["left", 1], ["right", 1]] * 4]}),
        ("linear_seating", {"question": ["who", 0, [["left", 1], ["right", 1]] * 16]}),
        ("circular_seating", {"question": ["who", 0, [["left", 1]] * 30]}),
        ("circular_seating", {"turns": [0] * 9}),
        ("circular_seating", {"clues": [["outs", 4]] * 32}),
        ("truth_teller", {"clues": [["says", 0, ["among", 15, *[0, 1] * 15]]]}),
        ("truth_teller", {"names": list("ABCDEFGHIJKLMNOPQRSTUVWXYZ")}),
        ("matching", {"values": [list("ABCDEFGHIJ")] * 3}),
        ("matching", {"kinds": ["job"] * 12}),
        ("syllogism", {"premises": [["all", 0, 1]] * 30}),
        ("syllogism", {"premises": [["all", 0, 1], ["all", 1, 0]] * 10}),
        ("syllogism", {"terms": list("ABCDEFGHIJKLMNOPQRST")}),
        ("blood_relation", {"style": "how", "facts": [["father", i, i + 1] for i in range(31)]}),
        ("series", {"shown": [[1, 10**9, None, 10**9]], "parts": ["N"]}),
        ("series", {"shown": [[1, 10**4000, None, 3]], "parts": ["N"]}),
    ],
)
def test_a_structure_that_multiplies_is_refused(checker, family, changes):
    assert isinstance(verdict(checker, with_structure(proof_of(family), **changes)), str)


def grown(rng: random.Random, value: Any) -> Any:
    """``value`` with one part of it repeated, nested, lengthened or enlarged."""
    if isinstance(value, list) and value and rng.random() < 0.7:
        place = rng.randrange(len(value))
        return [*value[:place], grown(rng, value[place]), *value[place + 1 :]]
    times = rng.choice((3, 30, HUGE))
    deep = json.loads("[" * 900 + "]" * 900)
    grows = {
        list: lambda: rng.choice((value * times, deep, [value] * times)),
        str: lambda: rng.choice((value * times, "", [value] * times)),
        int: lambda: rng.choice((value + times, -1, 10**9, 10**4000, float(value), [value] * times)),
    }
    return grows.get(type(value), lambda: [value] * times)()


@pytest.mark.parametrize("family", puzzles.FAMILIES)
def test_generated_shapes_have_a_verdict(checker, family):
    rng = random.Random(f"hostile/{family}")
    for seed in range(40):
        proof = proof_of(family, seed % 5)
        structure = proof["certificate"]["structure"]
        name = rng.choice([name for name in structure if name != "wording"])
        forged = with_structure(proof, **{name: grown(rng, structure[name])})
        found = verdict(checker, forged)
        # A structure that differs in nothing the proof looks at may still hold, with the very same key.
        assert isinstance(found, str) or (found is None or found == forged["key"])


@pytest.mark.parametrize(
    "proof",
    [
        {},
        {"question": "q", "choices": [1, 2]},
        {"question": "q", "choices": "abcd"},
        {"question": "q", "choices": ["a"], "certificate": json.loads("[" * 900 + "]" * 900)},
        {"question": "q", "choices": ["a"], "family": "x" * 400_000},
        {"question": "q", "choices": ["a"], "family": ["series"], "topics": []},
        {"question": "q", "choices": ["a"], "key": object()},
    ],
)
def test_an_object_that_is_no_proof_proves_nothing(checker, proof):
    try:
        found: Any = checker.proved_key(proof, "q", ["a"])
    except ProofError as error:
        found = str(error)
    assert found is None or found.count("\n") == 0


def test_the_text_is_compared_before_anything_is_proved():
    with ProofChecker(limit_s=1e-6) as checker:
        assert checker.proved_key(proof_of("series"), "Another question?", ["a", "b", "c", "d"]) is None


def test_a_proof_beyond_its_time_is_refused_each_time():
    proof = proof_of("linear_seating")
    with ProofChecker(limit_s=1e-6) as checker:
        for _ in range(2):
            with pytest.raises(ProofError, match="does not end within 1e-06 s and 1024 MiB"):
                checker.proved_key(proof, proof["question"], proof["choices"])
