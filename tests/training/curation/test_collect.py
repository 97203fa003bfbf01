"""What is kept of the rows that are read, and why the others are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from agents.core.errors import InputError
from agents.core.schema import Question
from training.curation.collect import Collector, Tally, read_keyed
from training.curation.recipe import DataRecipe
from training.curation.selection import Selection, select_rows
from training.sources.source import Dropped, SourceRow

STEM = "Which gas do green plants take up from the air around them when the sun shines on their leaves"
GASES = ("carbon dioxide", "pure helium", "pure argon", "noble xenon")
PASSAGE = " ".join(f"word{i}" for i in range(25))
RECIPE = DataRecipe.model_validate({"output": "unused", "sources": [{"name": "unused"}]})


def row(text: str, choices: tuple[str, ...] = GASES, key: int = 0, *, name: str = "") -> SourceRow:
    return SourceRow(name or text, "made", "train", None, Question(text, choices, key=key))


def curate(
    candidates: list[SourceRow], evaluation: Sequence[list[SourceRow]] = (), **changes: object
) -> tuple[Selection, Tally, list[Tally]]:
    """The rows that are selected, and the tallies of the source and of each evaluation file."""
    files, tally = [Tally() for _ in evaluation], Tally()
    collector = Collector(13, 0, files)
    for number, file in enumerate(evaluation):
        for each in file:
            collector.add_evaluation(number, each)
    for each in candidates:
        collector.add(0, each, tally)
    return select_rows(collector, RECIPE.model_copy(update=changes), [tally], files), tally, files


def kept(candidates: list[SourceRow], evaluation: Sequence[list[SourceRow]] = (), **changes: object) -> list[str]:
    return [each.id for each in curate(candidates, evaluation, **changes)[0].rows]


def test_of_exact_duplicates_the_first_stays_whatever_the_order_of_the_choices() -> None:
    again = replace(row(STEM.upper() + "?!"), question=Question(STEM.upper() + "?!", GASES[::-1], key=3))
    selection, tally, _ = curate([row(STEM), again])
    assert [each.id for each in selection.rows] == [STEM]
    assert tally.dropped == {"exact duplicate": 1}


def test_of_rows_that_contradict_each_other_none_stays() -> None:
    selection, tally, _ = curate([row(STEM), row("Other question"), row(STEM, key=2)])
    assert [each.id for each in selection.rows] == ["Other question"]
    assert tally.dropped == {"same question, other key": 2}


def test_of_near_copies_with_the_same_key_the_first_stays() -> None:
    selection, tally, _ = curate([row(STEM), row("So " + STEM)])
    assert [each.id for each in selection.rows] == [STEM]
    assert tally.dropped == {"near duplicate": 1}


def test_near_copies_with_different_keys_both_stay_in_one_group() -> None:
    selection, _, _ = curate([row(STEM), row("An entirely different one about rocks"), row("So " + STEM, key=1)])
    assert len(selection.rows) == 3
    first, unrelated, last = selection.groups
    assert first == last != unrelated


def test_the_near_duplicate_threshold_is_the_recipe_s() -> None:
    assert len(kept([row(STEM), row("So " + STEM)], near_duplicate_similarity=1.0)) == 2


def test_a_run_of_thirteen_words_of_an_evaluation_question_is_contamination() -> None:
    words = STEM.split()
    evaluation = [[row("unrelated")], [row("When asked, say: " + " ".join(words[3:16]) + " today?", ("x", "y"))]]
    assert kept([row(STEM)], [[row("When asked: " + " ".join(words[3:15]) + " now?", ("x", "y"))]]) == [STEM]
    with pytest.raises(InputError, match="no row left \\(1 in an evaluation file\\)"):
        curate([row(STEM)], evaluation)
    _, tally, files = curate([row(STEM), row("Keeps this from being empty")], evaluation)
    assert tally.dropped == {"in an evaluation file": 1}
    assert [file.overlaps for file in files] == [0, 1]


def test_a_short_question_is_contaminated_only_when_it_is_the_same_with_a_choice_in_common() -> None:
    evaluation = [[row("Which is a metal?", ("iron", "oak", "wool"))]]
    same = row("which is a METAL", ("paper", "Iron", "glass"), key=1)
    other = row("Which is a metal?", ("tin", "paper", "glass"))
    assert kept([same, other], evaluation) == [other.id]


def test_a_near_copy_of_an_evaluation_row_is_contamination_whatever_its_key() -> None:
    # Twelve words each: too short for a run of thirteen, and not the same question.
    question = "Which gas do green plants take up from air on sunny days"
    evaluation = [[row(question + "?")]]
    selection, tally, files = curate([row("So " + question, key=2), row("Something else")], evaluation)
    assert [each.id for each in selection.rows] == ["Something else"]
    assert tally.dropped == {"in an evaluation file": 1}
    assert (files[0].overlaps, files[0].near_copies) == (0, 1)


@pytest.mark.parametrize(
    ("first", "second"),
    [("What is it?", "what is it"), (f"{PASSAGE}\nWho?", f"{PASSAGE}\n{STEM}, {STEM} and {STEM}?")],
    ids=["same question", "same passage"],
)
def test_rows_with_the_same_question_or_passage_are_one_group(first: str, second: str) -> None:
    selection, _, _ = curate([row(first, ("a", "b")), row("Unrelated"), row(second, ("c", "d"))])
    assert selection.groups[0] == selection.groups[2] != selection.groups[1]


def test_a_repeated_id_is_made_unique() -> None:
    assert kept([row("One thing", name="7"), row("Quite another", name="7"), row("Third", name="8")]) == [
        "7",
        "7~2",
        "8",
    ]


def test_at_most_as_many_rows_as_the_recipe_says_and_the_rest_is_counted() -> None:
    rows = [row(f"question {i} about {i * i} and {i * 7}", (f"{i}", f"{i + 1}")) for i in range(40)]
    selection, tally, _ = curate(rows, rows=10)
    assert len(selection.rows) == 10
    assert tally.dropped == {"not drawn": 30}


def test_what_a_source_drops_is_counted_and_the_rows_are_hashed() -> None:
    def read(*items: SourceRow | Dropped) -> Tally:
        tally = Tally()
        assert all(isinstance(item, SourceRow) for item in read_keyed(items, tally, lambda rows: None))
        return tally

    tally = read(row("a"), Dropped("no key"), row("b"), Dropped("no key"))
    assert (tally.read, tally.rows, tally.dropped) == (4, 2, {"no key": 2})
    assert tally.content_sha256 == read(row("a"), row("b")).content_sha256
    assert tally.content_sha256 != read(row("a"), row("b", key=1)).content_sha256
