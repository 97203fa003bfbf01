"""The organisers' filters and scoring, bound by bound."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from agents.core.edition import Edition, edition_names, load_edition
from agents.core.rules import clip_words, filter_answers, filter_questions, score_answer

EDITION = load_edition("feb2026_iitd")
TOURNAMENT = Path(__file__).parents[4] / "shared" / "tournament"
needs_kits = pytest.mark.skipif(not TOURNAMENT.is_dir(), reason="the organisers' sample files are not here")


def count_words(text: str) -> int:
    """The tests' tokenizer: a token a word. ``"A) x"`` has two, ``"None"`` one."""
    return len(text.split())


def words(n: int) -> str:
    return " ".join(["w"] * n)


def question(**changes: Any) -> dict[str, Any]:
    """A row that passes; its question, answer and choices have 2 + 1 + 4 × 2 = 11 words."""
    row = {"topic": "t", "question": "Who sits?", "choices": ["A) x", "B) y", "C) z", "D) v"], "answer": "A"}
    return {**row, **changes}


def question_of(tokens: int, **changes: Any) -> dict[str, Any]:
    """A row whose question, answer and choices have ``tokens`` tokens before the allowance is taken off."""
    return question(question=words(tokens - 9), **changes)


def passes(row: Any) -> bool:
    return filter_questions([row], count_words, EDITION) != []


def answer_passes(row: Any) -> bool:
    (kept,) = filter_answers([row], count_words, EDITION)
    return kept is not None


class TestQuestionShape:
    def test_a_row_that_passes_is_the_same_object_with_its_extra_keys(self) -> None:
        row = question(id=7, explanation="why", latency={"s": 1})
        (kept,) = filter_questions([row], count_words, EDITION)
        assert kept is row
        assert kept == question(id=7, explanation="why", latency={"s": 1})

    @pytest.mark.parametrize("field", ["topic", "question", "choices", "answer"])
    def test_every_required_key_is_required(self, field: str) -> None:
        assert not passes({key: value for key, value in question().items() if key != field})

    @pytest.mark.parametrize("topic", [None, "", 5, ["Puzzles"]])
    def test_a_topic_may_be_anything(self, topic: Any) -> None:
        assert passes(question(topic=topic))

    @pytest.mark.parametrize("answer", ["A", "b", "E", "", "B) y", "none of these"])
    def test_an_answer_may_be_any_string(self, answer: str) -> None:
        assert passes(question(answer=answer))

    def test_an_empty_question_passes(self) -> None:
        assert passes(question(question=""))

    @pytest.mark.parametrize("choice", ["Apple", "bee", "A) x", "d. x", "C x", "Dog", "A  "])
    def test_a_choice_needs_three_characters_and_a_first_one_of_a_to_d_in_any_case(self, choice: str) -> None:
        assert passes(question(choices=[choice] * 4))

    @pytest.mark.parametrize(
        "choice", ["A)", "", "A", "E) x", "elm", "1) x", " A) x", "(A) x", "ßxx", None, 5, ["A) x"]]
    )
    def test_one_bad_choice_drops_the_row(self, choice: Any) -> None:
        assert not passes(question(choices=["A) x", "B) y", "C) z", choice]))

    def test_neither_order_nor_repetition_of_the_letters_matters(self) -> None:
        assert passes(question(choices=["D) x", "D) x", "A) A) y", "Dog"]))

    @pytest.mark.parametrize("n", [0, 1, 3, 5])
    def test_choices_are_exactly_four(self, n: int) -> None:
        assert not passes(question(choices=["A) x"] * n))

    @pytest.mark.parametrize(
        "choices",
        [("A) x", "B) y", "C) z", "D) v"), {"A) x": 1, "B) y": 2, "C) z": 3, "D) v": 4}, "ABCD"],
        ids=["tuple", "dict", "text"],
    )
    def test_choices_are_a_list(self, choices: Any) -> None:
        assert not passes(question(choices=choices))


class TestQuestionTokens:
    @pytest.mark.parametrize(("tokens", "expected"), [(129 + 15, True), (130 + 15, False)])
    def test_below_130_after_15_are_taken_off(self, tokens: int, expected: bool) -> None:
        assert passes(question_of(tokens)) is expected

    def test_the_answer_and_every_choice_count(self) -> None:
        assert passes(question_of(144, answer="A)"))
        assert not passes(question_of(144, answer="A) x"))
        for i in range(4):
            choices = ["A) x", "B) y", "C) z", "D) v"]
            choices[i] += " w"
            assert not passes(question_of(144, choices=choices))

    def test_topic_and_extra_keys_do_not_count(self) -> None:
        assert passes(question_of(144, topic=words(500), hint=words(2000)))

    # 11 words in the rest of the row: 11 - 15 = -4 tokens before the explanation.
    @pytest.mark.parametrize(("explanation", "expected"), [(1028, True), (1029, False)])
    def test_with_the_explanation_at_most_1024(self, explanation: int, expected: bool) -> None:
        assert passes(question(explanation=words(explanation))) is expected

    # 144 - 15 = 129 tokens before the explanation.
    @pytest.mark.parametrize(("explanation", "expected"), [(1024 - 129, True), (1025 - 129, False)])
    def test_the_15_are_off_the_sum_with_the_explanation_as_well(self, explanation: int, expected: bool) -> None:
        assert passes(question_of(144, explanation=words(explanation))) is expected

    @pytest.mark.parametrize(("none_tokens", "expected"), [(1028, True), (1029, False)])
    def test_a_missing_explanation_counts_as_the_text_none(self, none_tokens: int, expected: bool) -> None:
        def count(text: str) -> int:
            return none_tokens if text == "None" else count_words(text)

        assert bool(filter_questions([question()], count, EDITION)) is expected
        assert filter_questions([question(explanation="")], count, EDITION)

    def test_the_bounds_are_the_editions(self) -> None:
        def kept(**changes: Any) -> bool:
            edition: Edition = dataclasses.replace(EDITION, **changes)
            return filter_questions([question(explanation=words(20))], count_words, edition) != []

        # 11 tokens, and 31 with the explanation.
        assert kept(question_tokens_allowance=0, question_tokens=12, question_with_explanation_tokens=31)
        assert not kept(question_tokens_allowance=0, question_tokens=11)
        assert not kept(question_tokens_allowance=0, question_with_explanation_tokens=30)
        assert not kept(choices=5)


class TestQuestionRows:
    def test_json_text_of_an_object_is_checked_and_comes_back_parsed(self) -> None:
        rows = [json.dumps(question(answer="B")), json.dumps(question(choices=[]))]
        assert filter_questions(rows, count_words, EDITION) == [question(answer="B")]

    @pytest.mark.parametrize("row", ["", "Who sits?", "{'topic': 't'}", None, 5, True, ["A) x"], ("text", 3, 0.5)])
    def test_other_rows_are_dropped(self, row: Any) -> None:
        assert filter_questions([row, question()], count_words, EDITION) == [question()]

    @pytest.mark.parametrize(
        "row",
        [
            question(question=None),
            question(question=5),
            question(question=["Who", "sits?"]),
            question(question="Who \ud800 sits?"),
            question(answer=None),
            question(answer=0),
            question(choices=None),
            question(choices=4),
            question(explanation=None),
            question(explanation=3.5),
            "5",
            "null",
            "[1]",
            '"topic question choices answer"',
            json.dumps(json.dumps(question())),
            "[" * 100_000,
            "9" * 10_000,
        ],
        ids=lambda row: repr(row)[:40].encode("ascii", "replace").decode(),
    )
    def test_rows_on_which_the_organisers_code_would_crash_are_dropped(self, row: Any) -> None:
        assert filter_questions([row, question()], count_words, EDITION) == [question()]

    def test_order_is_kept(self) -> None:
        rows = [question(id=0), "broken", question(id=1), json.dumps(question(id=2)), None, question(id=3)]
        assert [row["id"] for row in filter_questions(rows, count_words, EDITION)] == [0, 1, 2, 3]

    @pytest.mark.parametrize(
        ("good", "bad", "survivors"),
        [(0, 0, 0), (1, 0, 1), (1, 1, 1), (1, 2, 0), (10, 10, 10), (9, 11, 0), (3, 2, 3), (2, 3, 0)],
    )
    def test_exactly_half_is_enough_and_one_less_leaves_nothing(self, good: int, bad: int, survivors: int) -> None:
        rows = [question()] * good + [None] * bad
        assert len(filter_questions(rows, count_words, EDITION)) == survivors

    def test_half_is_in_the_filter_even_where_an_edition_says_forty_percent(self) -> None:
        july = load_edition("jul2025_iisc")
        assert july.survival_fraction == 0.4
        assert filter_questions([question()] * 9 + [None] * 11, count_words, july) == []


class TestAnswers:
    def test_an_answer_that_passes_is_the_same_object_with_its_extra_keys(self) -> None:
        row = {"answer": "B", "reasoning": "why", "seconds": 2}
        (kept,) = filter_answers([row], count_words, EDITION)
        assert kept is row
        assert kept == {"answer": "B", "reasoning": "why", "seconds": 2}

    def test_one_entry_a_row_in_order(self) -> None:
        rows = [{"answer": "A"}, {"answer": "E"}, '{"answer": "C", "id": 3}', "not JSON", {"answer": "D"}]
        expected = [{"answer": "A"}, None, {"answer": "C", "id": 3}, None, {"answer": "D"}]
        assert filter_answers(rows, count_words, EDITION) == expected
        assert filter_answers([], count_words, EDITION) == []

    def test_answers_are_not_counted_as_a_batch(self) -> None:
        assert filter_answers([None, None, {"answer": "A"}], count_words, EDITION) == [None, None, {"answer": "A"}]

    @pytest.mark.parametrize("answer", [*"ABCDabcd", "", "B)", "B) text", "EF", "  ", "none of these"])
    def test_one_letter_of_a_to_d_or_any_text_of_another_length_passes(self, answer: str) -> None:
        assert answer_passes({"answer": answer})

    @pytest.mark.parametrize("answer", [*"Ee1) ", "é", "Ａ", None, 0, ["B"], {"letter": "B"}])
    def test_another_character_or_no_string_does_not(self, answer: Any) -> None:
        assert not answer_passes({"answer": answer})

    def test_the_answer_is_required_and_the_reasoning_is_not(self) -> None:
        assert not answer_passes({"reasoning": "why"})
        assert not answer_passes({})
        assert answer_passes({"answer": "B"})

    @pytest.mark.parametrize(("tokens", "expected"), [(49, True), (50, False)])
    def test_the_answer_is_below_50_tokens(self, tokens: int, expected: bool) -> None:
        assert answer_passes({"answer": words(tokens), "reasoning": ""}) is expected

    @pytest.mark.parametrize(("answer", "reasoning", "expected"), [(1, 510, True), (1, 511, False), (49, 463, False)])
    def test_with_the_reasoning_below_512_tokens(self, answer: int, reasoning: int, expected: bool) -> None:
        assert answer_passes({"answer": words(answer) + ")", "reasoning": words(reasoning)}) is expected

    @pytest.mark.parametrize(("none_tokens", "expected"), [(510, True), (511, False)])
    def test_a_missing_reasoning_counts_as_the_text_none(self, none_tokens: int, expected: bool) -> None:
        def count(text: str) -> int:
            return none_tokens if text == "None" else count_words(text)

        assert (filter_answers([{"answer": "B"}], count, EDITION) != [None]) is expected
        assert filter_answers([{"answer": "B", "reasoning": ""}], count, EDITION) != [None]

    def test_the_bounds_are_the_editions(self) -> None:
        row = {"answer": "B) y", "reasoning": words(3)}
        small = dataclasses.replace(EDITION, answer_tokens=3, answer_with_reasoning_tokens=6)
        assert filter_answers([row], count_words, small) == [row]
        assert filter_answers([row], count_words, dataclasses.replace(small, answer_tokens=2)) == [None]
        assert filter_answers([row], count_words, dataclasses.replace(small, answer_with_reasoning_tokens=5)) == [None]

    @pytest.mark.parametrize(
        "row",
        [
            {"answer": "B", "reasoning": None},
            {"answer": "B", "reasoning": 5},
            {"answer": "B", "reasoning": ["so", "B"]},
            {"answer": "B", "reasoning": "so \ud800"},
            "5",
            "null",
            "[1]",
            '"answer"',
            '[{"answer": "B"}]',
            "[" * 100_000,
        ],
        ids=lambda row: repr(row)[:40].encode("ascii", "replace").decode(),
    )
    def test_rows_on_which_the_organisers_code_would_crash_are_none(self, row: Any) -> None:
        assert not answer_passes(row)

    @pytest.mark.parametrize("row", [None, 5, True, ["B"], ("B", 1, 0.5), "", "B", "{'answer': 'B'}"])
    def test_other_rows_are_none(self, row: Any) -> None:
        assert not answer_passes(row)


class TestScoring:
    @pytest.mark.parametrize("key", ["B", "B)", "B) text", "Both"])
    def test_the_first_character_of_the_key_is_the_answer(self, key: str) -> None:
        assert score_answer({"answer": key}, {"answer": "B"})
        assert not score_answer({"answer": key}, {"answer": "A"})

    @pytest.mark.parametrize("answer", ["b", "B)", "B) text", " B", "B ", ""])
    def test_anything_but_the_one_upper_case_letter_is_wrong(self, answer: str) -> None:
        assert not score_answer({"answer": "B) text"}, {"answer": answer})

    def test_a_lower_case_key_is_met_by_a_lower_case_answer_only(self) -> None:
        assert score_answer({"answer": "b"}, {"answer": "b"})
        assert not score_answer({"answer": "b"}, {"answer": "B"})

    def test_the_key_may_be_called_expected_answer(self) -> None:
        assert score_answer({"expected_answer": "C"}, {"answer": "C"})
        assert score_answer({"answer": "B", "expected_answer": "C"}, {"answer": "B"})
        assert not score_answer({"answer": "B", "expected_answer": "C"}, {"answer": "C"})

    @pytest.mark.parametrize("answer", [None, {}, {"answer": None}, {"answer": ""}, {"answer": 1}, {"reasoning": "B"}])
    @pytest.mark.parametrize("row", [{"answer": "B"}, {"answer": ""}, {"answer": None}, {"answer": ["B"]}, {}])
    def test_nothing_given_is_wrong_whatever_the_key(self, row: dict[str, Any], answer: dict[str, Any] | None) -> None:
        assert not score_answer(row, answer)

    @pytest.mark.parametrize("row", [{"answer": ""}, {"answer": None}, {"answer": ["B"]}, {}])
    def test_nothing_is_right_without_a_key(self, row: dict[str, Any]) -> None:
        assert not score_answer(row, {"answer": "B"})


class TestClipWords:
    def test_text_within_the_limit_is_unchanged(self) -> None:
        assert clip_words("", 3) == ""
        assert clip_words(" one  two\nthree ", 3) == " one  two\nthree "

    def test_longer_text_ends_in_an_ellipsis_that_is_no_word_of_its_own(self) -> None:
        assert clip_words("one  two\nthree four", 3) == "one  two\nthree…"
        assert clip_words("one two", 1) == "one…"

    @pytest.mark.parametrize("n", [99, 100, 101, 1000])
    def test_no_result_has_more_words_than_the_limit(self, n: int) -> None:
        assert len(clip_words(words(n), 100).split()) == min(n, 100)

    def test_a_limit_below_one_is_refused(self) -> None:
        with pytest.raises(ValueError, match="0 words"):
            clip_words("one", 0)


@needs_kits
@pytest.mark.parametrize("name", edition_names())
class TestTheOrganisersFiles:
    def load(self, name: str, file: str) -> Any:
        return json.loads((TOURNAMENT / name / file).read_text(encoding="utf-8"))

    def test_sample_questions(self, name: str) -> None:
        rows = self.load(name, "sample_question.json")
        kept = filter_questions(rows, count_words, load_edition(name))
        # February's own samples name the key `expected_answer`, so February's own filter drops every one of them.
        assert kept == ([] if name == "feb2026_iitd" else rows)

    def test_sample_answers(self, name: str) -> None:
        rows = self.load(name, "sample_answer.json")
        assert filter_answers(rows, count_words, load_edition(name)) == rows

    def test_sample_answers_against_sample_questions(self, name: str) -> None:
        questions, answers = self.load(name, "sample_question.json"), self.load(name, "sample_answer.json")
        assert all(score_answer(row, answer) for row, answer in zip(questions, answers, strict=True))
