"""Topics in every shape, and the puzzle families behind them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents.core.edition import edition_names, load_edition
from agents.core.errors import FileError, InputError
from agents.core.topics import Topic, edition_topics, families_of, find_topic, read_topics, read_topics_file
from puzzles import FAMILIES
from puzzles.generator import family_named

OFFICIAL = Path(__file__).resolve().parents[4] / "shared" / "tournament"
SEATING = "Seating Arrangements (Linear, Circular)"


@pytest.mark.parametrize(
    ("payload", "paths"),
    [
        ({"Puzzles": ["Seating", "Grids"]}, ["Puzzles/Seating", "Puzzles/Grids"]),
        (["Seating", "Grids"], ["Seating", "Grids"]),
        ("Seating", ["Seating"]),
        (["Puzzles/Seating"], ["Puzzles/Seating"]),
        ({"topics": ["Seating", "Grids"]}, ["Seating", "Grids"]),
        ({"Puzzles": {"Seating": {}, "Grids": []}}, ["Puzzles/Seating", "Puzzles/Grids"]),
        ({"Puzzles": {"Seating": 3, "Grids": None}}, ["Puzzles/Seating", "Puzzles/Grids"]),
        ({"A": {"B": {"C": ["D", "E"]}}}, ["A/B/C/D", "A/B/C/E"]),
        ([{"name": "Seating"}, {"topic": "Puzzles/Grids", "weight": 2}], ["Seating", "Puzzles/Grids"]),
        ({"Puzzles": [{"name": "Seating"}]}, ["Puzzles/Seating"]),
        ({"Seating": [{"question": "Who?", "choices": []}]}, ["Seating"]),
        (["Seating", "seating ", "SEATING"], ["Seating"]),
    ],
)
def test_topics_are_read_from_every_shape_in_their_order_each_once(payload, paths):
    assert [topic.path for topic in read_topics(payload)] == paths


@pytest.mark.parametrize("payload", [{}, [], 5, None, True, {"topics": []}, [[]]])
def test_a_payload_without_topics_is_an_error(payload):
    with pytest.raises(InputError, match=r"topics: found .*; expected an object of categories"):
        read_topics(payload)


@pytest.mark.parametrize("name", ["", "  ", "a\x00b", "x" * 201, "Puzzles/"])
def test_a_name_that_is_none_is_an_error(name):
    with pytest.raises(InputError, match="printable"):
        read_topics({"Puzzles": [name]})


def test_too_many_and_too_deep_are_errors():
    with pytest.raises(InputError, match="more than 1,000"):
        read_topics([f"Topic {i}" for i in range(1001)])
    deep: object = "Seating"
    for _ in range(12):
        deep = {"x": deep}
    with pytest.raises(InputError, match="nested"):
        read_topics(deep)


def test_a_file_that_is_missing_or_no_json_is_named(tmp_path):
    with pytest.raises(FileError, match=r"topics\.json: found no such file"):
        read_topics_file(tmp_path / "topics.json")
    (tmp_path / "topics.json").write_text("{")
    with pytest.raises(FileError, match=r"topics\.json: found text that is not JSON"):
        read_topics_file(tmp_path / "topics.json")
    (tmp_path / "topics.json").write_text("{}")
    with pytest.raises(InputError, match=r"topics\.json: topics: found an object with 0 keys"):
        read_topics_file(tmp_path / "topics.json")


@pytest.mark.parametrize("edition", edition_names())
def test_every_topic_of_an_edition_is_covered_by_the_families_that_name_it(edition):
    for topic in edition_topics(load_edition(edition)):
        expected = tuple(family for family in FAMILIES if topic.name in family_named(family).topics)
        assert expected
        assert families_of(topic.name) == families_of(topic.path) == families_of(topic.path.upper()) == expected


@pytest.mark.skipif(not OFFICIAL.is_dir(), reason="the organisers' files are not here")
def test_the_organisers_own_files_hold_topics_that_are_covered():
    files = sorted(OFFICIAL.glob("*/topics*.json"))
    assert len(files) == 5
    for file in files:
        topics = read_topics_file(file)
        assert len(topics) >= 2
        assert all(families_of(topic.path) for topic in topics)
        if file.name == "topics.json":
            names = [topic.path for topic in edition_topics(load_edition(file.parent.name))]
            assert [topic.path for topic in topics] == names


@pytest.mark.parametrize(
    ("asked", "families"),
    [
        ("syllogism", ("syllogism",)),
        ("Sylogisms", ("syllogism",)),
        ("logical reasoning / syllogisms", ("syllogism",)),
        ("seating", ("linear_seating", "circular_seating")),
        ("Seating Arrangements (Circular)", ("circular_seating",)),
        ("Linear seating arrangement", ("linear_seating",)),
        ("Seating Arrangements (Linear,Circular)", ("linear_seating", "circular_seating")),
        ("Blood Relations", ("blood_relation",)),
        ("Family Tree", ("blood_relation",)),
        ("series", ("series",)),
        ("alphanumeric series", ("series",)),
        ("truth teller & liar problems", ("truth_teller",)),
        ("Knights and Knaves", ("truth_teller",)),
        ("Matching-type Puzzles", ("matching",)),
        ("Blood Relations and Family Tree/Generations", ("blood_relation",)),
        ("Logical Reasoning/Sudoku", ()),
        ("Quadratic Equations", ()),
        ("World Series winners", ()),
        ("", ()),
    ],
)
def test_near_names_find_their_families_and_foreign_ones_none(asked, families):
    assert families_of(asked) == families


@pytest.mark.parametrize(
    "asked", [SEATING, f"Puzzles/{SEATING}", SEATING.lower(), "seating", "Puzzles/Seating (circular & linear)"]
)
def test_what_is_asked_for_is_named_as_the_edition_names_it(asked):
    topics = edition_topics(load_edition("oct2025_aiac"))
    assert find_topic(asked, topics) == Topic(SEATING, "Puzzles")


def test_a_topic_outside_the_edition_stands_for_itself_when_puzzles_cover_it():
    topics = edition_topics(load_edition("oct2025_aiac"))
    assert find_topic("Logical Reasoning/sylogisms", topics) == Topic("Syllogisms", "Logical Reasoning")
    assert find_topic("linear seating", topics) == Topic("linear seating")


@pytest.mark.parametrize("asked", ["", " ", "seating\n", "linear " * 10_000])
def test_what_cannot_be_a_topic_is_unknown_at_once(asked):
    assert families_of(asked) == () or not asked.isprintable()
    with pytest.raises(InputError, match="topic: found"):
        find_topic(asked, [])


def test_a_topic_that_a_model_must_write_on_is_found_by_its_name():
    assert find_topic("algebra/quadratic equation", [Topic("Quadratic Equations", "Algebra")]).category == "Algebra"


def test_an_unknown_topic_is_an_error_that_lists_what_is_known():
    topics = edition_topics(load_edition("oct2025_aiac"))
    with pytest.raises(InputError) as caught:
        find_topic("Sudoku", topics)
    assert caught.value.field == "topic"
    assert caught.value.found == "'Sudoku'"
    for name in (SEATING, "Syllogisms", "Truth-teller and Liar Problems"):
        assert name in caught.value.expected


def test_topics_survive_json_round_trips():
    payload = {"Puzzles": [SEATING]}
    assert read_topics(json.loads(json.dumps(payload))) == [Topic(SEATING, "Puzzles")]
