"""Counts of benchmarks.questions."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from itertools import count, islice

import pytest
from question_fakes import proved

from agents.asking.pool.pool import ServedQuestion
from agents.asking.similarity_index import question_id
from agents.core.edition import edition_names, load_edition
from benchmarks.questions import as_served, duplicates, keys, measure, second_solver
from puzzles import FAMILIES
from puzzles.generator import family_named


def served(proposal):
    return ServedQuestion(question_id(proposal.question), proposal, 0.0)


def test_repeats_are_counted_by_structure_and_by_text():
    questions = [served(proved(seed)) for seed in range(5)]
    assert duplicates(questions) == 0
    structure = replace(questions[0].proposal, question=replace(questions[0].question, text="Quite another text?"))
    text = replace(questions[1].proposal, fingerprint="another")
    assert duplicates([*questions, served(structure)]) == 2
    assert duplicates([*questions, served(text)]) == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_the_second_solvers_confirm_a_served_key_and_find_a_moved_one_wrong(family):
    confirms = second_solver()
    topic = family_named(family).topics[0]
    proposals = (proved(seed, topic) for seed in count())
    of_family = (proposal for proposal in proposals if (proposal.proof or {})["family"] == family)
    for proposal in islice(of_family, 5):
        moved = replace(proposal, question=replace(proposal.question, key=((proposal.question.key or 0) + 1) % 4))
        assert confirms(as_served(served(proposal)))
        assert not confirms(as_served(served(moved)))


def test_a_text_that_the_second_solver_cannot_read_has_no_key():
    proposal = proved(0, "Syllogisms")
    garbled = replace(proposal, question=replace(proposal.question, text="Most cats are dogs. What follows?"))
    assert not second_solver()(as_served(served(garbled)))


def test_verdicts_on_keys_are_counted_and_what_is_not_confirmed_is_shown():
    questions = [served(proved(seed)) for seed in range(4)]
    verdicts = iter([True, False, True, True])
    found = keys(questions, lambda puzzle: next(verdicts))
    assert (found["confirmed"], found["wrong"]) == (3, 1)
    assert found["wrongly_keyed"] == [questions[1].canonical()]


@pytest.mark.parametrize("edition", edition_names())
def test_the_second_solvers_confirm_every_key_of_an_edition(edition):
    _, questions = asyncio.run(measure(load_edition(edition), 100, seed=2))
    assert keys(questions, second_solver())["wrongly_keyed"] == []


def test_a_report_is_json_and_holds_what_was_asked():
    report, questions = asyncio.run(measure(load_edition("oct2025_aiac"), 4, seed=1))
    assert len(questions) == 4
    assert (report["asked"], report["share_passing_the_filter"], report["duplicates"]) == (4, 1.0, 0)
    assert report["levels"] == {"easy": 0, "medium": 0, "hard": 4}
    assert json.loads(json.dumps(report)) == report
