"""What holds of every family: proofs, seeds, levels, limits, fingerprints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

import puzzles
from agents.core.edition import load_edition
from puzzles.difficulty import TARGET_WIDTH, level_of
from puzzles.fingerprint import fingerprint
from puzzles.generator import family_named
from puzzles.words import MAX_TOKENS, token_bound

ROOT = Path(__file__).resolve().parents[2]
LEVELS = ("easy", "medium", "hard")
MAX_CHARS = 560


def sample(family, number=40, start=0):
    return [puzzles.generate(family, LEVELS[seed % 3], seed) for seed in range(start, start + number)]


@pytest.fixture(scope="module", params=puzzles.FAMILIES)
def some(request):
    """Forty puzzles of one family over the three levels."""
    return sample(request.param)


def test_every_puzzle_proves_itself_from_its_certificate(some):
    for puzzle in some:
        puzzles.verify(puzzle)


def test_a_puzzle_survives_json_and_still_proves_itself(some):
    for puzzle in some[:10]:
        again = puzzles.Puzzle.from_json(json.loads(json.dumps(puzzle.to_json())))
        assert again == puzzle
        puzzles.verify(again)


def test_a_moved_key_does_not_verify(some):
    for puzzle in some:
        with pytest.raises(puzzles.ProofError, match="key"):
            puzzles.verify(replace(puzzle, key=(puzzle.key + 1) % 4))


def test_a_moved_key_does_not_verify_even_when_the_structure_agrees(some):
    for puzzle in some:
        structure = {**puzzle.certificate["structure"], "key": (puzzle.key + 1) % 4}
        forged = {**puzzle.certificate, "structure": structure}
        with pytest.raises(puzzles.ProofError):
            puzzles.verify(replace(puzzle, key=structure["key"], certificate=forged))


@pytest.mark.parametrize("field", ["question", "explanation", "fingerprint", "level"])
def test_a_changed_text_does_not_verify(some, field):
    with pytest.raises(puzzles.ProofError, match=field):
        puzzles.verify(replace(some[0], **{field: "something else"}))


def test_a_changed_choice_or_certificate_does_not_verify(some):
    puzzle = some[0]
    for changed in (
        replace(puzzle, choices=("x", *puzzle.choices[1:])),
        replace(puzzle, certificate={}),
        replace(puzzle, certificate={**puzzle.certificate, "findings": {}}),
        replace(puzzle, difficulty=puzzle.difficulty + 1),
    ):
        with pytest.raises(puzzles.ProofError):
            puzzles.verify(changed)


def test_a_structure_with_nonsense_in_it_is_a_proof_error_or_changes_nothing(some):
    puzzle = some[0]
    refused = Counter()
    for name in puzzle.certificate["structure"]:
        for nonsense in (None, 7, "x", [], [["x", 1]], {"a": 1}, list(range(12))):
            forged = {**puzzle.certificate["structure"], name: nonsense}
            try:
                puzzles.verify(replace(puzzle, certificate={**puzzle.certificate, "structure": forged}))
            except puzzles.ProofError:
                refused[name] += 1
    assert refused["choices"] == refused["key"] == 7


def test_the_same_seed_gives_the_same_puzzle_in_another_process():
    code = (
        "import json, puzzles; print(json.dumps([puzzles.generate(f, d, s).to_json() for f in puzzles.FAMILIES "
        "for d, s in (('easy', 1), ('hard', 2), (8.0, 3))]))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }  # fmt: skip
    here = [
        puzzles.generate(f, d, s).to_json() for f in puzzles.FAMILIES for d, s in (("easy", 1), ("hard", 2), (8.0, 3))
    ]
    assert [json.loads(output) for output in outputs] == [json.loads(json.dumps(here))]


def test_what_was_generated_before_does_not_change_a_puzzle(some):
    puzzle = some[3]
    assert puzzles.generate(puzzle.family, LEVELS[0], 3) == puzzle


@pytest.mark.parametrize("family", puzzles.FAMILIES)
def test_a_stream_does_not_repeat_itself(family):
    prints = [puzzle.fingerprint for puzzle in islice(puzzles.stream(family, "easy", 5), 300)]
    assert len(set(prints)) == 300


@pytest.mark.parametrize(
    ("family", "level", "number"),
    [("series", "easy", 10_000), *((family, "medium", 1_000) for family in puzzles.FAMILIES)],
)
def test_thousands_of_puzzles_of_a_stream_have_no_repeat_in_structure_or_text(family, level, number):
    some = [
        (puzzle.fingerprint, (puzzle.question, *sorted(puzzle.choices)))
        for puzzle in islice(puzzles.stream(family, level, 0), number)
    ]
    prints, texts = map(set, zip(*some, strict=True))
    assert len(prints) == len(texts) == number


def test_a_level_is_a_band_of_difficulty_the_same_in_every_family(some):
    for seed, puzzle in enumerate(some):
        low, high = puzzles.LEVELS[LEVELS[seed % 3]]
        assert low <= puzzle.difficulty < high
        assert puzzle.level == level_of(puzzle.difficulty) == LEVELS[seed % 3]


@pytest.mark.parametrize("family", puzzles.FAMILIES)
def test_a_difficulty_asked_for_by_number_is_met_over_the_whole_reach(family):
    low, high = family_named(family).reach
    for step in range(5):
        wanted = low + (high - low) * step / 4
        puzzle = puzzles.generate(family, wanted, 0)
        assert abs(puzzle.difficulty - wanted) <= TARGET_WIDTH


def test_the_keys_places_are_balanced():
    places = Counter(puzzle.key for family in puzzles.FAMILIES for puzzle in sample(family, 60, 5000))
    expected = 60 * len(puzzles.FAMILIES) / 4
    # Chi-square with 3 degrees of freedom: 16.3 is passed once in a thousand seeds.
    assert sum((places[place] - expected) ** 2 / expected for place in range(4)) < 16.3


def test_texts_keep_every_editions_limits(some):
    edition = load_edition("feb2026_iitd")
    for puzzle in some:
        assert len(set(puzzle.choices)) == 4
        assert all(choice == choice.strip() and choice for choice in puzzle.choices)
        assert len(puzzle.question) + sum(map(len, puzzle.choices)) <= MAX_CHARS
        assert 3 <= len(puzzle.explanation.split()) <= edition.explanation_words
        lettered = sum(token_bound(choice) + 2 for choice in puzzle.choices)
        assert token_bound(puzzle.question) + lettered + 1 <= MAX_TOKENS < edition.question_tokens
        assert puzzle.question.endswith(("?", ".")) or "series" in puzzle.question or "question mark" in puzzle.question
        assert "  " not in puzzle.question
        assert "arrangements" not in puzzle.question


def test_no_choice_looks_like_a_letter_with_a_text_behind_it(some):
    for puzzle in some:
        for choice in puzzle.choices:
            assert choice[1:2] not in (")", ".", ":"), choice


def test_the_explanation_ends_in_the_key_where_the_key_is_a_short_text(some):
    for puzzle in some:
        assert puzzle.choices[puzzle.key].rstrip(".").casefold() in puzzle.explanation.casefold()


def test_every_topic_of_every_edition_is_covered():
    covered = {topic for family in puzzles.FAMILIES for topic in family_named(family).topics}
    for edition in ("jul2025_iisc", "oct2025_aiac", "feb2026_iitd"):
        for topics in load_edition(edition).topics.values():
            assert set(topics) <= covered


def test_the_token_bound_is_never_below_what_the_qwen_tokenizer_counts_and_not_far_above():
    # Counted with the tokenizer of Qwen2.5, which agrees with Qwen3's on English text.
    rows = json.loads((Path(__file__).parent / "qwen_tokens.json").read_text(encoding="utf-8"))
    assert len(rows) >= 40
    for text, tokens in rows:
        assert tokens <= token_bound(text) <= tokens * 1.25 + 4, text


def test_a_fingerprint_knows_no_names_and_no_order():
    one = fingerprint([("left", (0, 1)), ("left", (1, 2)), ("ask", (0,))])
    assert one == fingerprint([("ask", (7,)), ("left", (5, 3)), ("left", (7, 5))])
    assert one != fingerprint([("left", (0, 1)), ("left", (1, 2)), ("ask", (2,))])
    assert one != fingerprint([("left", (0, 1)), ("left", (2, 1)), ("ask", (0,))])


def test_in_a_symmetric_statement_the_order_does_not_matter():
    assert fingerprint([("=near", (0, 1)), ("end", (0,))]) == fingerprint([("=near", (1, 0)), ("end", (0,))])
    assert fingerprint([("near", (0, 1)), ("end", (0,))]) != fingerprint([("near", (1, 0)), ("end", (0,))])


def test_renaming_and_reordering_keep_a_puzzles_fingerprint(some):
    for puzzle in some:
        maker = family_named(puzzle.family)
        structure = puzzles.generator.from_json(maker.structure, puzzle.certificate["structure"])
        changed = {"wording": structure.wording + 1}
        for name in ("names", "terms"):
            if hasattr(structure, name):
                changed[name] = tuple(f"X{i}" for i in range(len(getattr(structure, name))))
        for name in ("clues", "facts", "premises", "conclusions"):
            if hasattr(structure, name):
                changed[name] = getattr(structure, name)[::-1]
        assert maker.fingerprint(replace(structure, **changed)) == puzzle.fingerprint


def test_an_unknown_family_is_named_with_the_known_ones():
    with pytest.raises(puzzles.UnknownFamilyError, match="found 'chess'; expected one of syllogism, linear_seating"):
        puzzles.generate("chess", "easy", 0)


@pytest.mark.parametrize("difficulty", ["impossible", 99.0, -1.0, float("nan"), True])
def test_an_impossible_difficulty_is_an_error_that_says_what_can_be_asked(difficulty):
    with pytest.raises(puzzles.DifficultyError, match=r"expected (easy, medium, hard or )?a number"):
        puzzles.generate("series", difficulty, 0)


def test_a_puzzle_with_a_missing_field_is_an_error():
    data = puzzles.generate("series", "easy", 0).to_json()
    del data["certificate"]
    with pytest.raises(puzzles.ProofError, match="certificate"):
        puzzles.Puzzle.from_json(data)
