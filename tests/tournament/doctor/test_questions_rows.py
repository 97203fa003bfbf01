"""The doctor's judgement of questions and answers, one planted fault at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from arena_fakes import question
from doctor_fakes import by_check, examination, not_ok

from tournament.doctor.answers import answer_findings
from tournament.doctor.questions import question_findings

GOOD = [question(i, "ABCD"[i % 4]) for i in range(20)]
EXAMINED = examination(sizes=[20])
ANSWERS = [{"answer": "ABCD"[i % 4], "reasoning": "So it is."} for i in range(20)]


def questions(*changed, rows=GOOD, under=EXAMINED):
    """The findings on good questions of which the first are replaced."""
    return list(question_findings([*changed, *rows[len(changed) :]], under))


def answers(*changed, rows=ANSWERS):
    return list(answer_findings(EXAMINED.samples, [*changed, *rows[len(changed) :]], EXAMINED))


def test_good_questions_have_nothing_to_mend():
    found = by_check(questions())
    assert not_ok(found.values()) == {}
    assert found["question filter"].found == "20 of 20 pass"
    assert found["key letters"].found == "A 5, B 5, C 5, D 5"
    assert found["duplicates"].found == "0 of 20 (0%) repeat an earlier one"
    # Four words of the question, one of the key, three of each choice, less 15.
    assert found["question tokens"].found == "at most 2 (row 1), by the tokenizer of words"


def test_a_question_that_the_filter_drops_is_named_with_the_rule_it_broke():
    found = by_check(questions(question(0, choices=["A) one"]), "not JSON"))["question filter"]
    assert found.verdict == "warning"
    assert found.found == ("18 of 20 pass; row 1: choices: 1 of them, not 4; row 2: not an object: 'not JSON'")


def test_of_many_rows_three_are_named_and_the_rest_counted():
    found = by_check(questions(*[5] * 5))["question filter"].found
    assert found == (
        "15 of 20 pass; row 1: not an object: int 5; row 2: not an object: int 5; row 3: not an object: int 5; 2 more"
    )


@pytest.mark.parametrize(("dropped", "verdict"), [(10, "warning"), (11, "fail")])
def test_fewer_than_half_disqualifies(dropped, verdict):
    assert by_check(questions(*[None] * dropped))["question filter"].verdict == verdict


def test_without_a_question_that_passes_nothing_else_is_checked():
    found = questions(*[None] * 20)
    assert [finding.verdict for finding in found] == ["fail", "not checked"]


@pytest.mark.parametrize("key", ["b", "", "E", "(B)"])
def test_a_key_that_nobody_can_hit_fails(key):
    found = by_check(questions(question(0, key)))["question keys"]
    assert found.verdict == "fail"
    assert found.found.startswith("row 1: ")


def test_a_key_with_its_text_is_taken_as_the_scoring_takes_it():
    assert not_ok(questions(question(0, "A) one 0"))) == {}


def test_choices_that_repeat_are_a_warning():
    found = by_check(questions(question(0, choices=["A) x", "B) x", "C) y", "D) z"])))["question texts"]
    assert found.verdict == "warning"
    assert "row 1: choices[1]: found 'x' again" in found.found


def test_one_favourite_letter_is_a_warning():
    found = by_check(questions(rows=[question(i, "C") for i in range(20)]))["key letters"]
    assert (found.verdict, found.found) == ("warning", "A 0, B 0, C 20, D 0")


def test_letters_as_uneven_as_chance_makes_them_are_no_warning():
    # Chi-square of 2, 5, 4, 9 is 5.2: by chance more often than one time in ten.
    keys = "AABBBBBCCCCDDDDDDDDD"
    assert not_ok(questions(rows=[question(i, key) for i, key in enumerate(keys)])) == {}


def test_repeats_are_found_whatever_their_case_spaces_and_order_of_choices():
    again = question(1, question="which is  number 1", choices=["A) FOUR 1", "B) one 1.", "C) two 1", "D) three 1"])
    found = by_check(questions(again))["duplicates"]
    assert (found.verdict, found.found) == ("warning", "1 of 20 (5%) repeat an earlier one")


def test_the_same_text_with_other_choices_or_operators_is_another_question():
    other = question(1, choices=["A) five 1", "B) one 1", "C) two 1", "D) three 1"])
    assert not_ok(questions(other)) == {}
    sums = [question(0, question=f"What is 3 {sign} 4?") for sign in "+-"]
    assert not_ok(questions(*sums)) == {}


def test_mostly_repeats_look_hard_coded_and_fail():
    assert by_check(questions(*[question(19)] * 12))["duplicates"].verdict == "fail"


@pytest.mark.parametrize(
    ("words", "tokens", "verdict"), [(126, 124, "ok"), (127, 125, "warning"), (131, 129, "warning")]
)
def test_tokens_near_the_limit_are_a_warning(words, tokens, verdict):
    # Beside the question's words there are 12 in the choices and 1 in the key, and 15 are let off.
    found = by_check(questions(question(0, question=" ".join(["word"] * words))))["question tokens"]
    assert (found.verdict, found.found) == (verdict, f"at most {tokens} (row 1), by the tokenizer of words")


def test_an_explanation_over_the_limit_or_none_is_a_warning():
    long = question(0, "A", explanation=" ".join(["why"] * 101))
    assert not_ok(questions(long)) == {"explanations": "warning"}
    missing = question(0, "A")
    del missing["explanation"]
    found = by_check(questions(missing))["explanations"]
    assert (found.verdict, found.found) == ("warning", "at most 2 words (row 2); without one: 1")


def test_a_banned_kind_is_a_warning():
    found = by_check(questions(question(0, question="In How many  arrangements? How many arrangements?")))
    assert (found["banned kinds"].verdict, found["banned kinds"].found) == ("warning", "row 1: 'how many arrangements'")


def test_an_edition_without_banned_kinds_has_no_such_check():
    edition = replace(EXAMINED.edition, banned_question_kinds=())
    assert "banned kinds" not in by_check(questions(under=replace(EXAMINED, edition=edition)))


def test_good_answers_have_nothing_to_mend():
    found = by_check(answers())
    assert not_ok(found.values()) == {}
    assert found["letters said"].found == "A 5, B 5, C 5, D 5; 20 of 20 right"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"answer": "b"}, "answer: 'b', not exactly one upper-case letter"),
        ({"answer": "B)"}, "answer: 'B)', not exactly one upper-case letter"),
        ({"answer": ""}, "answer: '', not exactly one upper-case letter"),
        ({"answer": "E"}, "answer: 'E', not one of ABCD"),
        ({"answer": None}, "answer: null, not a string of valid text"),
        ({"answer": "B", "reasoning": "so " * 512}, "answer and reasoning: 513 tokens, not fewer than 512"),
        ("B", "not an object: 'B'"),
        (None, "not an object: null"),
    ],
)
def test_an_answer_that_cannot_score_fails_with_its_reason(value, reason):
    found = by_check(answers(value))["answer letters"]
    assert (found.verdict, found.found) == ("fail", f"19 of 20 are one; row 1: {reason}")


def test_a_reasoning_that_is_too_long_or_none_is_a_warning():
    assert not_ok(answers({"answer": "A", "reasoning": "so " * 101})) == {"reasonings": "warning"}
    found = by_check(answers({"answer": "A"}))["reasonings"]
    assert (found.verdict, found.found) == ("warning", "at most 3 words (row 2); without one: 1")


@pytest.mark.parametrize(("number", "verdict"), [(15, "ok"), (16, "warning")])
def test_one_letter_whatever_is_asked_is_a_warning(number, verdict):
    said = [{"answer": "D", "reasoning": "So it is."}] * number
    others = [{"answer": "A", "reasoning": "So it is."}] * (20 - number)
    assert by_check(answers(rows=said + others))["letters said"].verdict == verdict


def test_without_an_answer_that_can_score_nothing_else_is_checked():
    assert [finding.verdict for finding in answers(*[None] * 20)] == ["fail", "not checked"]
