"""Answers in LaTeX are compared by value."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.sources.answer_types import latex_type, normalise, text_type
from training.sources.latex import boxed_answer, latex_value, same_value


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        (r"So $x=\boxed{5}$.", "5"),
        (r"First $\boxed{1}$, then $\boxed{\frac{1}{2}}$.", r"\frac{1}{2}"),
        (r"$\boxed{\text{(A) } x^{2}}$", r"\text{(A) } x^{2}"),
        (r"$\fbox{7}$", "7"),
        (r"Thus $\boxed 9$.", "9"),
        (r"$\boxed{}$", None),
        (r"$\boxed{5$", None),
        ("It is 5.", None),
    ],
)
def test_the_answer_is_what_the_solution_boxes_last(solution: str, answer: str | None) -> None:
    assert boxed_answer(solution) == answer


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        ("-.5", -0.5),
        (r"1,\!000", 1000),
        ("1{,}234{,}567", 1234567),
        ("12,345.5", 12345.5),
        (r"\frac12", 1 / 2),
        (r"\dfrac{3}{4}", 3 / 4),
        (r"\frac1{72}", 1 / 72),
        (r"-\tfrac{-7}{2}", 3.5),
        ("3/8", 3 / 8),
        (r"3\frac{1}{2}", 3.5),
        (r"-2\frac{3}{4}", -2.75),
        (r"2\sqrt3", 2 * math.sqrt(3)),
        (r"\frac{1+\sqrt{5}}{2}", (1 + math.sqrt(5)) / 2),
        (r"\sqrt[3]{27}", 3),
        (r"4\pi", 4 * math.pi),
        (r"2^{-3}", 1 / 8),
        (r"2 \cdot 3^2", 18),
        (r"-2^2", -4),
        (r"8/2/2", 2),
        (r"10\text{ cm}^2", 10),
        (r"45^\circ", 45),
        (r"\$3.50", 3.5),
        (r"20\%", 20),
        (r"\left(2+3\right)4", 20),
    ],
)
def test_arithmetic_has_its_value(text: str, number: float) -> None:
    value = latex_value(text)
    assert value is not None
    assert value == pytest.approx((number,))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"\frac{1}{2}", "0.5"),
        (r"\sqrt{12}", r"2\sqrt{3}"),
        ("x+1", "1+x"),
        ("(x-1)^2", "x^2-2x+1"),
        (r"(1, \frac{1}{2})", r"\left(1,0.5\right)"),
        ("-1, 2", "2,-1"),
        ("y=2x", "2x=y"),
        (r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}"),
        ("i^2", "-1"),
    ],
)
def test_equal_answers_have_the_same_value_however_they_are_written(one: str, other: str) -> None:
    assert same_value(latex_value(one), latex_value(other))


@pytest.mark.parametrize(
    ("one", "other"), [("1", "2"), ("(1,2)", "(2,1)"), ("x", "y"), ("1", "1,1"), ("2x", "x^2"), ("10^9", "10^9+10")]
)
def test_different_answers_have_different_values(one: str, other: str) -> None:
    assert latex_value(one) is not None
    assert not same_value(latex_value(one), latex_value(other))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            r"\text{Monday}",
            r"\frac{1}{0}",
            "10^{10^{10}}",
            "0^{-1}",
            r"\infty",
            "101_2",
            "5!",
            "(",
            "x+",
            r"\frac{1}",
        ),
        *("9" * 500, "(" * 150, r"\sin x", "x<5", "²"),
    ],
)
def test_what_is_no_arithmetic_has_no_value(text: str) -> None:
    assert latex_value(text) is None
    assert not same_value(latex_value(text), latex_value(text))


@given(st.text(alphabet="0123456789+-*/^(){}[].,=xi\\ fracsqtp$", max_size=60))
def test_no_text_breaks_the_evaluation(text: str) -> None:
    value = latex_value(text)
    assert value is None or all(math.isfinite(number.real) for number in value)
    assert latex_type(text)
    boxed_answer(text)


@given(st.integers(-99, 99), st.integers(1, 99), st.integers(1, 9))
def test_a_fraction_equals_its_multiples_and_its_decimal(numerator: int, denominator: int, factor: int) -> None:
    fraction = latex_value(rf"\frac{{{numerator}}}{{{denominator}}}")
    assert same_value(fraction, latex_value(rf"\frac{{{numerator * factor}}}{{{denominator * factor}}}"))
    assert same_value(fraction, latex_value(f"{numerator / denominator:.15f}"))
    assert not same_value(fraction, latex_value(rf"\frac{{{numerator + 1}}}{{{denominator}}}"))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("12", "integer"),
        (r"1,\!200", "integer"),
        ("0.25", "decimal"),
        (r"\frac{1}{2}", "fraction"),
        (r"2\frac{1}{2}", "mixed number"),
        (r"3\sqrt{2}", "radical"),
        (r"\frac{\pi}{3}", "multiple of pi"),
        (r"(1,2)", "interval of 2"),
        ("1,2,3", "list of 3"),
        ("x^2+1", "expression"),
        ("y=x", "equation"),
        (r"x \le 3", "inequality"),
        (r"\text{even}", "words"),
        (r"45^\circ", "integer (degrees)"),
        (r"12\%", "integer (percent)"),
        (r"\$7", "integer (dollars)"),
        (r"7\text{ m}", "integer (unit)"),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", "matrix"),
    ],
)
def test_the_type_of_a_formula_is_its_form_and_unit(answer: str, expected: str) -> None:
    assert latex_type(answer) == expected


@pytest.mark.parametrize(
    ("answer", "question", "expected"),
    [
        ("42", "How many?", "integer"),
        ("1945", "In what year did it end?", "year"),
        ("3.14", "What is it?", "decimal"),
        ("2/3", "What part?", "fraction"),
        ("25%", "How much?", "percentage"),
        ("$5 million", "What did it cost?", "amount of money"),
        ("The 1960s", "Which decade?", "decade"),
        ("4 July 1776", "When?", "date"),
        ("12 miles", "How far?", "quantity"),
        ("Twenty-one", "How many?", "number in words"),
        ("Yes", "Is it?", "truth value"),
        ("Marie Curie", "Who found radium?", "person, two or three words, capitalised"),
        ("Curie", "Which scientist found radium?", "person, one word, capitalised"),
        ("Peru", "Where is it?", "place, one word, capitalised"),
        ("River Don", "Which river is it?", "place, two or three words, capitalised"),
        ("The Lord of the Rings", "Which book is it?", "thing, more words, capitalised"),
        ("oxygen", "Which gas is it?", "thing, one word, lower case"),
    ],
)
def test_the_type_of_a_trivia_answer_is_its_form_and_what_was_asked_for(
    answer: str, question: str, expected: str
) -> None:
    assert text_type(answer, question) == expected


@pytest.mark.parametrize("text", ["The Beatles", "beatles", "  Béatles! ", "“BEATLES”"])
def test_case_accents_articles_and_marks_do_not_matter_in_normal_form(text: str) -> None:
    assert normalise(text) == "beatles"
