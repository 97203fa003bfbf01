"""MATH and TriviaQA become multiple choice with distractors that are wrong, of the key's type, and seeded."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from training.sources import SOURCES, Dropped, SourceRow
from training.sources.answer_types import latex_type, normalise, text_type
from training.sources.distractors import AnswerPool, OpenAnswer
from training.sources.latex import latex_value, same_value
from training.sources.open_answers import math_answer, triviaqa_answer
from training.sources.reading import convert_rows

Raw = dict[str, Any]


def math_row(answer: str, kind: str = "Algebra") -> Raw:
    solution = rf"We compute and find $\boxed{{{answer}}}$."
    return {"problem": f"Find it ({len(answer)}).", "level": "Level 3", "type": kind, "solution": solution}


def trivia_row(number: int, question: str, value: str, *aliases: str, normalized: tuple[str, ...] = ()) -> Raw:
    return {
        "question": question,
        "question_id": f"tc_{number}",
        "question_source": "http://www.example.org/",
        "entity_pages": {"doc_source": [], "filename": [], "title": [], "wiki_context": []},
        "search_results": {"description": [], "filename": [], "rank": [], "title": [], "url": [], "search_context": []},
        "answer": {
            "aliases": [value, *aliases],
            "normalized_aliases": [alias.lower() for alias in (value, *aliases)] + list(normalized),
            "matched_wiki_entity_name": "",
            "normalized_matched_wiki_entity_name": "",
            "normalized_value": value.lower(),
            "type": "WikipediaEntity",
            "value": value,
        },
    }


def math_rows() -> list[Raw]:
    random = Random(0)
    halves = [r"\frac{1}{2}", r"\frac{2}{4}", "0.5", ".50", r"\dfrac12", "1/2", r"\frac{3}{4}", "0.75", r"\frac{6}{8}"]
    radicals = [r"\sqrt{12}", r"2\sqrt{3}", r"\sqrt{3}+\sqrt{3}", r"\sqrt{2}", r"\frac{\sqrt{8}}{2}", r"3\sqrt{7}"]
    terms = ["x+1", "1+x", "(x-1)^2", "x^2-2x+1", "2x", "x+x", "3y-1", "xy"]
    numbers = [str(random.randrange(-50, 2000)) for _ in range(60)]
    decimals = [f"{random.randrange(100) / 20}" for _ in range(20)]
    fractions = [rf"\frac{{{random.randrange(1, 9)}}}{{{random.randrange(2, 9)}}}" for _ in range(40)]
    return [math_row(answer) for answer in (*halves, *radicals, *terms, *numbers, *decimals, *fractions)]


CITIES = ["London", "Paris", "Rome", "Oslo", "Lima", "Cairo", "Delhi", "Tokyo", "Quito", "Accra", "Dakar", "Hanoi"]
PEOPLE = ["Abraham Lincoln", "Mark Twain", "Ada Lovelace", "Jane Austen", "Isaac Newton", "Emmy Noether", "Niels Bohr"]
ALIASES = {
    "London": ("London, England", "Londinium", "Paris-on-Thames"),
    "Mark Twain": ("Samuel Clemens",),
    "Netherlands": ("The Netherlands", "Holland"),
}


def trivia_rows() -> list[Raw]:
    rows = [(f"Which city is number {place}?", name) for place, name in enumerate(CITIES * 3)]
    rows += [(f"Who is number {place}?", name) for place, name in enumerate(PEOPLE * 3)]
    rows += [
        (f"Which country is {n}?", name) for n, name in enumerate(["Netherlands", "Holland", "The Netherlands"] * 2)
    ]
    rows += [("Who is it?", "Samuel Clemens"), ("Who is it?", "lincoln"), ("In what year?", "1945")]
    rows += [("In what year?", str(1900 + place)) for place in range(20)]
    return [trivia_row(n, question, value, *ALIASES.get(value, ())) for n, (question, value) in enumerate(rows)]


def convert(name: str, rows: list[Raw], seed: int = 0) -> list[SourceRow | Dropped]:
    return list(convert_rows(SOURCES[name], "train", lambda: rows, seed=seed))


@pytest.mark.parametrize("seed", range(10))
def test_math_distractors_share_the_keys_type_and_no_two_choices_are_equal_in_value(seed: int) -> None:
    rows = math_rows()
    results = convert("math", rows, seed)
    usable = [(raw, row) for raw, row in zip(rows, results, strict=True) if isinstance(row, SourceRow)]
    assert len(usable) > 100
    for raw, row in usable:
        key = row.question.choices[row.question.key or 0]
        assert rf"\boxed{{{key}}}" in raw["solution"]
        assert len(row.question.choices) == 4
        assert {latex_type(choice) for choice in row.question.choices} == {latex_type(key)}
        values = [latex_value(choice) for choice in row.question.choices]
        assert not any(same_value(values[i], values[j]) for i in range(4) for j in range(i))
        assert row.subject == "Algebra"


@pytest.mark.parametrize("seed", range(10))
def test_trivia_distractors_share_the_keys_type_and_none_is_an_accepted_answer(seed: int) -> None:
    rows = trivia_rows()
    results = convert("triviaqa", rows, seed)
    usable = [(raw, row) for raw, row in zip(rows, results, strict=True) if isinstance(row, SourceRow)]
    assert len(usable) > 70
    for raw, row in usable:
        key = row.question.choices[row.question.key or 0]
        assert key == raw["answer"]["value"]
        accepted = {normalise(alias) for alias in (*raw["answer"]["aliases"], *raw["answer"]["normalized_aliases"])}
        others = [choice for choice in row.question.choices if choice != key]
        assert len(others) == 3
        assert not {normalise(choice) for choice in others} & accepted
        assert len({normalise(choice) for choice in row.question.choices}) == 4
        kinds = {text_type(choice, row.question.text) for choice in row.question.choices}
        assert kinds == {text_type(key, row.question.text)}
        assert row.id == f"triviaqa/train/{raw['question_id']}"


@pytest.mark.parametrize(("name", "rows"), [("math", math_rows()), ("triviaqa", trivia_rows())])
def test_distractors_and_the_keys_place_follow_from_the_seed(name: str, rows: list[Raw]) -> None:
    assert convert(name, rows, seed=3) == convert(name, rows, seed=3)
    assert convert(name, rows, seed=3) != convert(name, rows, seed=4)
    keys = [row.question.key for seed in range(8) for row in convert(name, rows, seed) if isinstance(row, SourceRow)]
    assert all(0.2 < keys.count(place) / len(keys) < 0.3 for place in range(4))


def open_answer(text: str, *aliases: str, kind: str = "name", kin: str = "") -> OpenAnswer:
    words = tuple(normalise(text).split())
    return OpenAnswer(text, kind, frozenset(map(normalise, (text, *aliases))), kin, words=words)


@pytest.mark.parametrize(
    "other",
    [
        open_answer("The Netherlands"),
        open_answer("Holland"),
        open_answer("Dutch Republic", "holland"),
        open_answer("netherlands!"),
        open_answer("Kingdom of the Netherlands"),
    ],
)
def test_an_alias_of_either_and_a_longer_or_shorter_name_is_the_same_answer(other: OpenAnswer) -> None:
    key = open_answer("Netherlands", "Holland")
    assert key.is_same(other)
    assert other.is_same(key)
    assert not key.is_same(open_answer("Belgium"))


def test_answers_of_the_same_kin_come_first_and_others_fill_up() -> None:
    rivers = [open_answer(name, kin="river") for name in ("Rhine", "Danube", "Seine")]
    birds = [open_answer(name, kin="bird") for name in ("Heron", "Robin", "Wren", "Kite")]
    pool = AnswerPool([*rivers, *birds, open_answer("12", kind="integer")], seed=0)
    for seed in range(20):
        choices = pool.distractors(rivers[0], "Which river?", Random(seed))
        assert choices is not None
        assert {"Danube", "Seine"} < set(choices) <= {"Danube", "Seine", "Heron", "Robin", "Wren", "Kite"}


def test_an_answer_that_the_question_contains_is_no_distractor() -> None:
    pool = AnswerPool([open_answer(name) for name in ("Rhine", "Danube", "Seine", "Elbe", "Volga")], seed=0)
    for seed in range(20):
        assert "Danube" not in (
            pool.distractors(open_answer("Rhine"), "What is west of the Danube?", Random(seed)) or []
        )


def test_a_pool_keeps_at_most_its_capacity_of_each_type() -> None:
    answers = [open_answer(f"Name {place}") for place in range(500)]
    pool = AnswerPool(answers, seed=0, capacity=10)
    drawn = {text for seed in range(200) for text in pool.distractors(open_answer("Key"), "?", Random(seed)) or ()}
    assert len(drawn) == 10


@pytest.mark.parametrize(
    ("name", "row", "reason"),
    [
        ("math", math_row("5") | {"solution": "It is five."}, "no key"),
        ("math", math_row("5"), "too few answers of the key's type"),
        ("triviaqa", trivia_row(0, "Who?", "<unk>"), "no key"),
        ("triviaqa", trivia_row(0, "Who?", "..."), "no key"),
        ("triviaqa", trivia_row(0, "Who?", "Plato"), "too few answers of the key's type"),
        ("triviaqa", trivia_row(0, "Is it?", "Yes"), "an answer of yes or no"),
    ],
)
def test_a_row_that_gets_no_distractors_is_dropped(name: str, row: Raw, reason: str) -> None:
    assert convert(name, [row]) == [Dropped(reason)]


def test_the_rows_are_opened_twice_and_not_kept() -> None:
    opened = []

    def rows() -> Any:
        opened.append(len(opened))
        return iter(math_rows())

    assert sum(isinstance(row, SourceRow) for row in convert_rows(SOURCES["math"], "train", rows)) > 100
    assert opened == [0, 1]


def test_the_kin_of_a_number_is_its_magnitude_and_of_another_answer_what_was_asked_for() -> None:
    answers = [math_answer(math_row(text)) for text in ("-123", "7", r"\sqrt{2}")]
    assert [answer.kin for answer in answers if answer] == ["-3", "1", "Algebra"]
    river = triviaqa_answer(trivia_row(0, "Which European river flows there?", "Don"))
    assert river is not None
    assert river.kin == "river"
