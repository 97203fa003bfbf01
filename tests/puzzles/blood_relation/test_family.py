"""Blood relations: a second solver reads the English and makes every family that the facts allow, everybody known.

In each of them the key must hold, and every other choice must fail somewhere.
"""

from __future__ import annotations

import random
from itertools import islice

import pytest
from families import FEMALE, MALE, Fact, Family, Tale, families, fits
from family_reader import read, solve

import puzzles
from puzzles.blood_relation.chains import endings, tree
from puzzles.blood_relation.kinship import RELATIONS, Kin, holds

MAX_FITS = 25
"""Ways to fit a tale into one village that are looked at."""


def village(seed):
    """Several families over four generations that marry into each other, but not those with a common ancestor."""
    draw = random.Random(seed)
    family = Family()
    ancestors = {}
    generation = [family.born(gender) for gender in (MALE, FEMALE) * 5]
    for _ in range(3):
        for person in generation:
            ancestors[person] = {person}.union(*(ancestors[p] for p in family.parents[person]))
        men, women = ([p for p in generation if family.gender[p] == gender] for gender in (MALE, FEMALE))
        for man in men:
            free = [woman for woman in women if woman not in family.spouse and not ancestors[woman] & ancestors[man]]
            if free:
                wife = draw.choice(free)
                family.spouse[man], family.spouse[wife] = wife, man
        couples = [(man, family.spouse[man]) for man in men if man in family.spouse]
        children = [couple for couple in couples for _ in range(draw.choice((1, 2, 3)))]
        generation = [family.born(draw.choice((MALE, FEMALE)), parents) for parents in children]
        generation += [family.born(MALE), family.born(FEMALE)]
    return family


@pytest.mark.parametrize("level", ["easy", "medium", "hard"])
def test_in_every_family_of_the_text_the_key_holds_and_every_other_choice_fails_in_one(level):
    for seed in range(300):
        puzzle = puzzles.generate("blood_relation", level, seed)
        assert solve(puzzle.question, puzzle.choices) == [puzzle.key], puzzle.question


def test_what_holds_in_every_family_that_is_made_holds_in_whole_villages():
    villages = [village(seed) for seed in range(3)]
    tried = 0
    for seed in range(60):
        puzzle = puzzles.generate("blood_relation", "medium", seed)
        tale, (word, a, b) = read(puzzle.question, puzzle.choices)[puzzle.key]
        for found in villages:
            ways = list(islice(fits(found, tale), MAX_FITS))
            tried += bool(ways)
            assert all(people[a] in found.called(word, people[b]) for _, people in ways), puzzle.question
    assert tried > 60


def test_every_family_that_is_made_is_lawful_and_its_tale_is_true_in_it():
    for seed in range(60):
        puzzle = puzzles.generate("blood_relation", "hard", seed)
        for tale in {tale for tale, _ in read(puzzle.question, puzzle.choices)}:
            for family, people in families(tale):
                for person, spouse in family.spouse.items():
                    assert family.spouse[spouse] == person
                    assert {family.gender[person], family.gender[spouse]} == {MALE, FEMALE}
                for parents in filter(None, family.parents):
                    assert family.spouse[parents[0]] == parents[1]
                assert len({people[name] for name in tale.apart}) == len(tale.apart)
                for fact in tale.facts:
                    others = family.called(fact.link, people[fact.b])
                    assert people[fact.a] in others
                    assert not fact.only or len(others) == 1


@pytest.mark.parametrize(
    ("gender", "only", "is_me"),
    [(MALE, False, [True, False]), (FEMALE, False, [False]), (MALE, True, [True]), (FEMALE, True, [False])],
)
def test_my_fathers_son_is_i_or_somebody_new_and_his_only_son_is_i_if_i_am_a_man(gender, only, is_me):
    facts = (Fact("father", "f", "me"), Fact("son", "he", "f", only))
    made = list(families(Tale(facts, "me", gender, frozenset())))
    assert [people["he"] == people["me"] for _, people in made] == is_me
    another = list(families(Tale(facts, "me", gender, frozenset(("me", "he")))))
    assert len(another) == is_me.count(False)


def test_whose_son_somebody_is_may_be_a_man_or_a_woman():
    made = list(families(Tale((Fact("son", "A", "B"),), "A", MALE + FEMALE, frozenset("AB"))))
    assert [family.gender[people["A"]] for family, people in made] == [MALE, MALE]
    assert {family.gender[people["B"]] for family, people in made} == {MALE, FEMALE}


def test_facts_that_contradict_each_other_are_true_in_no_family():
    facts = (Fact("father", "A", "C"), Fact("father", "B", "C"))
    assert not list(families(Tale(facts, "C", MALE + FEMALE, frozenset("ABC"))))


def test_my_fathers_son_may_be_me_so_only_pointing_at_another_makes_him_my_brother():
    found = endings("M", [("father", False), ("son", False)])
    assert {ending.end == 0 for ending in found} == {True, False}
    assert all(holds(e.kin, "brother", e.end, 0) for e in found if e.end != 0)


def test_my_fathers_only_son_is_me_if_i_am_a_man_and_my_brother_if_i_am_a_woman():
    steps = [("father", False), ("son", True)]
    assert [ending.end for ending in endings("M", steps)] == [0]
    (ending,) = endings("F", steps)
    assert holds(ending.kin, "brother", ending.end, 0)


def test_my_mothers_only_daughter_is_me_if_i_am_a_woman():
    assert [ending.end for ending in endings("F", [("mother", False), ("daughter", True)])] == [0]


def test_my_fathers_wife_is_my_mother_and_my_mothers_husband_my_father():
    (wife,) = endings("M", [("father", False), ("wife", False)])
    assert holds(wife.kin, "mother", wife.end, 0)
    (husband,) = endings("F", [("mother", False), ("husband", False)])
    assert holds(husband.kin, "father", husband.end, 0)


def test_an_uncles_wife_is_an_aunt_but_not_a_maternal_one():
    kin = tree(4, [("mother", 1, 0), ("brother", 2, 1), ("wife", 3, 2)])
    assert kin is not None
    assert holds(kin, "maternal uncle", 2, 0)
    assert holds(kin, "aunt", 3, 0)
    assert not holds(kin, "maternal aunt", 3, 0)


def test_generations_are_counted_up_and_down():
    kin = tree(4, [("father", 1, 0), ("mother", 2, 1), ("father", 3, 2)])
    assert kin is not None
    assert holds(kin, "paternal grandmother", 2, 0)
    assert holds(kin, "great-grandfather", 3, 0)
    assert not holds(kin, "grandfather", 3, 0)


@pytest.mark.parametrize(
    "facts",
    [
        [("father", 1, 0), ("mother", 2, 0), ("brother", 3, 2), ("wife", 3, 1)],
        [("husband", 0, 1), ("husband", 1, 2)],
        [("father", 1, 0), ("father", 2, 0)],
        [("father", 1, 0)],
    ],
)
def test_facts_that_contradict_each_other_or_leave_somebody_out_make_no_family(facts):
    assert tree(4 if len(facts) > 3 else 3, facts) is None


def test_the_gender_of_one_spouse_tells_the_others():
    kin = Kin()
    one, two = kin.add(), kin.add()
    assert kin.link("wife", one, two)
    assert kin.gender == ["F", "M"]
    assert not kin.link("wife", two, kin.add())


def test_every_word_for_a_relation_is_understood_by_the_second_solver():
    family = village(0)
    for word in RELATIONS:
        assert any(family.called(word, person) for person in family.everyone), word


@pytest.mark.parametrize(
    ("seed", "readings", "said"),
    [
        (4, 1, "The chain has one reading: the speaker is the other's paternal aunt."),
        (11, 4, "The chain has 4 readings; in each, that person is the speaker's sister-in-law."),
    ],
)
def test_an_explanation_says_in_how_many_families_a_chain_can_be_read(seed, readings, said):
    puzzle = puzzles.generate("blood_relation", ("easy", "medium", "hard")[seed % 3], seed)
    assert puzzle.certificate["findings"]["families"] == readings
    assert said in puzzle.explanation
