"""Syllogisms: a second solver reads the English, chains, and looks at every Venn diagram there is."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from syllogism_reader import chained, denied, drawn, models_of, read, solve, terms_of, things, truth

import puzzles
from puzzles.syllogism.logic import (
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


@pytest.mark.parametrize(("level", "seeds"), [("easy", 250), ("medium", 200), ("hard", 300)])
def test_the_text_alone_has_the_key_as_its_only_answer(level, seeds):
    sizes = set()
    for seed in range(seeds):
        puzzle = puzzles.generate("syllogism", level, seed)
        sizes.add(len(terms_of(read(puzzle.question)[0])))
        assert solve(puzzle.question, puzzle.choices) == [puzzle.key], puzzle.question
    assert max(sizes) == {"easy": 4, "medium": 5, "hard": 5}[level]


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


def is_true(statement, world):
    """Whether a statement is true of ``world``: things, each a dict from term to whether it is one."""
    kind, x, y = statement
    pairs = {(thing[x], thing[y]) for thing in world}
    return {
        "all": (True, False) not in pairs,
        "no": (True, True) not in pairs,
        "some": (True, True) in pairs,
        "some not": (True, False) in pairs,
        "only": (False, True) not in pairs,
        "few": {(True, True), (True, False)} <= pairs,
    }[kind]


@given(st.lists(proposition(4, STATED), min_size=1, max_size=5))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_chaining_finds_possible_what_is_true_in_some_diagram(statements):
    assert chained(statements) == drawn(statements)


@given(st.lists(proposition(6, STATED), min_size=3, max_size=8))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_of_six_terms_what_chaining_calls_possible_it_shows_by_the_things_it_found(statements):
    found = things(statements)
    assume(found is not None)
    world = [{term: thing.get(term, False) for term in terms_of(statements)} for thing in found]
    assert all(is_true(statement, world) for statement in statements)
    assert all(any(thing[term] for thing in world) for term in terms_of(statements))


@given(st.lists(st.tuples(*[st.booleans()] * 6), min_size=1, max_size=8), st.data())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_of_six_terms_chaining_calls_nothing_impossible_that_is_true_of_some_world(rows, data):
    world = [dict(enumerate(row)) for row in rows]
    stated = data.draw(st.lists(proposition(6, STATED), min_size=1, max_size=12))
    true = [statement for statement in stated if is_true(statement, world)]
    assume(all(any(thing[term] for thing in world) for term in terms_of(true)))
    assert chained(true)


@given(proposition(3, ("all", "no", "some", "some not", "only")))
@settings(max_examples=60, derandomize=True)
def test_a_denial_is_true_exactly_where_the_statement_is_not(statement):
    for rows in product(product((False, True), repeat=3), repeat=2):
        world = [dict(enumerate(row)) for row in rows]
        assert is_true(statement, world) != is_true(denied(statement), world)


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
