"""Syllogisms: a second solver reads the English and looks at every Venn diagram there is."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verdicts import decided

import puzzles
from puzzles.syllogism_logic import (
    certain,
    claims,
    contradictory,
    follows,
    one_holds,
    open_relations,
    possible,
    together,
    with_claims,
)

SENTENCES = (
    (r"All (\w+) being (\w+) is a possibility", "may all"),
    (r"Some (\w+) being (\w+) is a possibility", "may some"),
    (r"All (?:the )?(\w+) are (\w+)", "all"),
    (r"(?:No|None of the) (\w+) are (\w+)", "no"),
    (r"Only a few (\w+) are (\w+)", "few"),
    (r"Only (\w+) are (\w+)", "only"),
    (r"Some (\w+) are not (\w+)", "some not"),
    (r"(?:Some|At least some|A few) (\w+) are (\w+)", "some"),
)
VERDICTS = {
    "Only conclusion I follows": (True, False),
    "Only conclusion II follows": (False, True),
    "Both conclusions follow": (True, True),
}
GROUPS = {"None of them": (), "All three": (0, 1, 2)}
CRITERIA = {
    "Which conclusion follows?": "must",
    "Which of these must be true?": "must",
    "Which of these cannot be true?": "cannot",
    "Which statement is certainly false?": "cannot",
    "Which conclusion does not follow?": "need not",
    "Which of these need not be true?": "need not",
    "Which of these is possible?": "may",
    "Which of these can be true?": "may",
}


def read_sentence(text):
    for pattern, kind in SENTENCES:
        match = re.fullmatch(pattern, text.strip().rstrip("."))
        if match:
            return kind, match[1], match[2]
    raise AssertionError(f"cannot read {text!r}")


def read(question):
    body, _, asked = re.fullmatch(r"(.*\.)( )([^.]+\?)", question).groups()
    body, _, conclusions = body.partition(" Conclusions: ")
    body = re.sub(r"\(\d\) |^Statements: ", "", body)
    premises = [read_sentence(s) for s in body.rstrip(".").split(". ")]
    return premises, [read_sentence(s) for s in re.split(r"\s*\bI{1,3}\. ", conclusions)[1:]], asked


@cache
def diagrams(terms):
    """Every set of inhabited regions in which every term has something: one number a diagram, bit r for region r."""
    every = np.arange(1 << ((1 << terms) - 1), dtype=np.int64) << 1
    for term in range(terms):
        every = every[(every & part(terms, [(term, True)])) != 0]
    return every


def part(terms, wanted):
    return sum(
        1 << region for region in range(1, 1 << terms) if all(bool(region >> t & 1) == inside for t, inside in wanted)
    )


def truth(terms, models, kind, x, y):
    """For every model, whether the proposition is true."""

    def inhabited(*wanted):
        return (models & part(terms, wanted)) != 0

    both, x_only, y_only = ((x, True), (y, True)), ((x, True), (y, False)), ((y, True), (x, False))
    return {
        "all": lambda: ~inhabited(*x_only),
        "no": lambda: ~inhabited(*both),
        "some": lambda: inhabited(*both),
        "some not": lambda: inhabited(*x_only),
        "only": lambda: ~inhabited(*y_only),
        "few": lambda: inhabited(*both) & inhabited(*x_only),
    }[kind]()


def models_of(terms, premises):
    models = diagrams(terms)
    for premise in premises:
        models = models[truth(terms, models, *premise)]
    return models


def conclusion_follows(terms, models, kind, x, y):
    if kind.startswith("may "):
        return bool(truth(terms, models, kind[4:], x, y).any())
    return bool(truth(terms, models, kind, x, y).all())


def solve(puzzle):
    premises, conclusions, asked = read(puzzle.question)
    words = list(dict.fromkeys(word for _, x, y in premises for word in (x, y)))
    if len(words) > 4:
        return None
    number = {word: place for place, word in enumerate(words)}

    def numbered(propositions):
        return [(kind, number[x], number[y]) for kind, x, y in propositions]

    terms = len(words)
    models = models_of(terms, numbered(premises))
    if asked in CRITERIA and not conclusions:
        statements = numbered(map(read_sentence, puzzle.choices))
        return decided(CRITERIA[asked], [list(truth(terms, models, *s)) for s in statements])
    found = tuple(conclusion_follows(terms, models, *c) for c in numbered(conclusions))
    plain = [c for c, ok in zip(numbered(conclusions), found, strict=False) if not ok and not c[0].startswith("may ")]
    truths = [truth(terms, models, *c) for c in plain]
    pairs = [(i, j) for i in range(len(truths)) for j in range(i) if (truths[i] | truths[j]).all()]
    if len(found) == 3:
        assert not pairs, "a pair of which one must hold although neither follows"
        group = tuple(i for i, ok in enumerate(found) if ok)
        numerals = {"I": 0, "II": 1, "III": 2}
        return [
            place
            for place, choice in enumerate(puzzle.choices)
            if group == GROUPS.get(choice, tuple(numerals[n] for n in re.findall(r"\bI+\b", choice)))
        ]
    if pairs:
        assert (truths[0] ^ truths[1]).all(), "either, but not by contradiction"
        return [puzzle.choices.index("Either conclusion I or II follows")]
    verdicts = {found: text for text, found in VERDICTS.items()} | {(False, False): "Neither conclusion follows"}
    return [puzzle.choices.index(verdicts[found])]


@pytest.mark.parametrize(("level", "seeds"), [("easy", 250), ("medium", 200), ("hard", 200)])
def test_the_text_alone_has_the_key_as_its_only_answer(level, seeds):
    solved = 0
    for seed in range(seeds):
        puzzle = puzzles.generate("syllogism", level, seed)
        right = solve(puzzle)
        solved += right is not None
        assert right in (None, [puzzle.key]), puzzle.question
    assert solved > seeds / 5


def test_no_possibility_is_a_certainty():
    for seed in range(200):
        structure = puzzles.generate("syllogism", "medium", seed).certificate["structure"]
        known = together(len(structure["terms"]), [tuple(p) for p in structure["premises"]])
        for kind, x, y in structure["conclusions"]:
            assert not kind.startswith("may ") or not certain(known, (kind[4:], x, y))


def proposition(terms, kinds):
    pairs = st.permutations(range(terms)).map(lambda order: tuple(order[:2]))
    return st.tuples(st.sampled_from(kinds), pairs).map(lambda item: (item[0], *item[1]))


STATED = ("all", "no", "some", "some not", "only", "few")


@given(st.data())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_the_solver_agrees_with_every_venn_diagram(data):
    terms = data.draw(st.integers(2, 4))
    premises = data.draw(st.lists(proposition(terms, STATED), min_size=1, max_size=4))
    known, models = together(terms, premises), models_of(terms, premises)
    assert known.consistent == bool(len(models))
    if not known.consistent:
        return
    p, q = (data.draw(proposition(terms, STATED)) for _ in range(2))
    first, second = truth(terms, models, *p), truth(terms, models, *q)
    assert certain(known, p) == first.all()
    assert possible(known, p) == first.any()
    if "few" not in (p[0], q[0]):
        assert one_holds(known, p, q) == (first | second).all()
    if contradictory(p, q):
        assert (first ^ second).all()
    x, y = p[1:]
    euler = {
        tuple(bool(v) for v in row)
        for row in zip(
            truth(terms, models, "some", x, y),
            truth(terms, models, "all", x, y),
            truth(terms, models, "all", y, x),
            strict=False,
        )
    }
    assert 2 ** open_relations(known, x, y) == pytest.approx(len(euler))


def test_only_a_few_says_that_some_are_and_some_are_not():
    known = together(2, [("few", 0, 1)])
    assert certain(known, ("some", 0, 1))
    assert certain(known, ("some not", 0, 1))
    assert not follows(known, ("may all", 0, 1))
    assert follows(known, ("may all", 1, 0))


def test_all_implies_some_both_ways_because_every_term_has_something_in_it():
    known = together(2, [("all", 0, 1)])
    assert certain(known, ("some", 0, 1))
    assert certain(known, ("some", 1, 0))


def test_only_x_are_y_means_that_all_y_are_x():
    assert claims(2, ("only", 0, 1)) == claims(2, ("all", 1, 0))


def test_some_and_no_contradict_each_other_and_some_and_some_not_do_not():
    assert contradictory(("some", 0, 1), ("no", 1, 0))
    assert not contradictory(("some", 0, 1), ("some not", 0, 1))


def test_premises_that_leave_a_term_empty_are_inconsistent():
    assert not together(2, [("all", 0, 1), ("no", 0, 1)]).consistent
    assert not with_claims(together(2, [("all", 0, 1)]), claims(2, ("no", 0, 1))).consistent
