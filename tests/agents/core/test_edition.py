"""The editions' numbers, names and topics."""

from __future__ import annotations

import dataclasses
import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from agents.core.edition import edition_names, load_edition
from agents.core.errors import InputError

EDITION = load_edition("feb2026_iitd")
TOURNAMENT = Path(__file__).parents[4] / "shared" / "tournament"

TOPICS = {
    "jul2025_iisc": {
        "Logical Reasoning": ["Truth-teller and Liar Problems"],
        "Puzzles": ["Seating Arrangements (Linear, Circular)"],
        "Blood Relations and Family Tree": ["Puzzles involving generations and family tree logic"],
    },
    "oct2025_aiac": {
        "Puzzles": ["Seating Arrangements (Linear, Circular)"],
        "Blood Relations and Family Tree": ["Puzzles involving generations and family tree logic"],
    },
    "feb2026_iitd": {
        "Logical Reasoning": ["Syllogisms"],
        "Puzzles": ["Seating Arrangements (Linear, Circular)"],
        "Blood Relations and Family Tree": ["Family tree logic"],
        "Series and Patterns": ["Mixed Series (Alphanumeric)"],
    },
}


def test_the_names_are_the_files_that_ship_oldest_first() -> None:
    assert edition_names() == ("jul2025_iisc", "oct2025_aiac", "feb2026_iitd")
    shipped = {file.name for file in files("agents.core").joinpath("editions").iterdir() if file.name.endswith(".toml")}
    assert shipped == {f"{name}.toml" for name in edition_names()}


@pytest.mark.parametrize(
    ("name", "title", "question_seconds", "answer_seconds", "advertised", "survival", "banned"),
    [
        ("jul2025_iisc", "AAIPL, July 2025", 10, 6, "100", 0.4, ()),
        ("oct2025_aiac", "AIAC, October 2025", 10, 6, "", 0.5, ()),
        ("feb2026_iitd", "AAIPL, February 2026", 13, 9, "150", 0.5, ("how many arrangements",)),
    ],
)
def test_published_numbers_that_differ(
    name: str,
    title: str,
    question_seconds: float,
    answer_seconds: float,
    advertised: str,
    survival: float,
    banned: tuple[str, ...],
) -> None:
    edition = load_edition(name)
    assert (edition.id, edition.title) == (name, title)
    assert (edition.question_seconds, edition.answer_seconds) == (question_seconds, answer_seconds)
    assert edition.question_tokens_advertised == advertised
    assert edition.survival_fraction == survival
    assert edition.banned_question_kinds == banned


@pytest.mark.parametrize("name", edition_names())
def test_published_numbers_that_are_the_same_in_all(name: str) -> None:
    edition = load_edition(name)
    assert (edition.question_tokens, edition.question_tokens_allowance) == (130, 15)
    assert edition.question_with_explanation_tokens == 1024
    assert (edition.answer_tokens, edition.answer_with_reasoning_tokens) == (50, 512)
    assert (edition.explanation_words, edition.reasoning_words) == (100, 100)
    assert (edition.question_max_new_tokens, edition.answer_max_new_tokens) == (1024, 512)
    assert edition.default_questions == 20
    assert edition.choices == 4


@pytest.mark.parametrize("name", edition_names())
def test_topics_are_the_organisers_in_their_order(name: str) -> None:
    topics = load_edition(name).topics
    assert [(category, list(names)) for category, names in topics.items()] == list(TOPICS[name].items())


def test_an_edition_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        EDITION.choices = 5  # type: ignore[misc]
    with pytest.raises(TypeError):
        EDITION.topics["Puzzles"] = ()  # type: ignore[index]


@pytest.mark.parametrize("name", ["mar2027", "", "../pyproject", "FEB2026_IITD"])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    found = repr(name) if name else "an empty string"
    message = f"edition: found {found}; expected one of jul2025_iisc, oct2025_aiac, feb2026_iitd"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        load_edition(name)


@pytest.mark.skipif(not TOURNAMENT.is_dir(), reason="the organisers' sample files are not here")
@pytest.mark.parametrize("name", edition_names())
def test_topics_are_those_of_the_organisers_file(name: str) -> None:
    expected = json.loads((TOURNAMENT / name / "topics.json").read_text(encoding="utf-8"))
    assert {category: list(names) for category, names in load_edition(name).topics.items()} == expected
