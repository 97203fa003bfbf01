"""The pool: hardest first, nothing twice, every served question with its proof."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from question_fakes import SEATING, proved, unproved

from agents.asking.gates.proof import check_proof
from agents.asking.pool.pool import PoolCount, QuestionPool
from agents.asking.proposal import RejectedError
from agents.asking.similarity_index import question_id


@pytest.fixture
def pool(tmp_path):
    pool = QuestionPool(tmp_path / "pool.sqlite", capacity=3, clock=iter(range(1000, 2000)).__next__)
    yield pool
    pool.close()


def reopened(pool, tmp_path):
    pool.close()
    return QuestionPool(tmp_path / "pool.sqlite", capacity=3)


def refusal(action):
    with pytest.raises(RejectedError) as caught:
        action()
    return caught.value.reason


def hard(number, hardness, **fields):
    return unproved(number, hardness=hardness, **fields)


def test_what_was_added_comes_out_as_it_went_in_and_never_again(pool):
    proposal = proved(1)
    pool.add(proposal)
    served = pool.take(SEATING)
    assert served.proposal == proposal
    assert served.id == question_id(proposal.question)
    assert served.canonical() == proposal.question.canonical(proposal.explanation)
    check_proof(served.proposal)
    assert pool.take(SEATING) is None


def test_the_hardest_comes_first_and_what_nobody_measured_counts_as_a_guess(pool):
    for number, hardness in enumerate((0.7, 0.9, None)):
        pool.add(hard(number, hardness))
    assert [pool.take("Trivia").proposal.hardness for _ in range(3)] == [0.9, None, 0.7]


def test_among_equally_hard_ones_the_solvers_difficulty_decides(pool):
    puzzles = [proved(seed) for seed in (2, 3, 4)]
    for puzzle in puzzles:
        pool.add(puzzle)
    expected = sorted((puzzle.difficulty for puzzle in puzzles), reverse=True)
    assert [pool.take(SEATING).proposal.difficulty for _ in range(3)] == expected


def test_topic_level_and_difficulty_are_kept_apart(pool):
    pool.add(proved(1, level="easy"))
    pool.add(proved(1, level="hard"))
    assert pool.take("Trivia") is None
    assert pool.take(SEATING, level="medium") is None
    hard_one = proved(1, level="hard")
    assert pool.take(SEATING, near=hard_one.difficulty + 5) is None
    assert pool.take(SEATING, near=hard_one.difficulty - 0.4).proposal == hard_one
    assert pool.take(SEATING, level="easy").proposal.level == "easy"


def test_in_a_full_pool_a_harder_newcomer_replaces_the_easiest_and_an_easier_one_is_refused(pool):
    for number, hardness in enumerate((0.3, 0.5, 0.4)):
        pool.add(hard(number, hardness))
    pool.add(hard(7, 0.6))
    assert refusal(lambda: pool.add(hard(8, 0.4))) == "a full pool of harder ones"
    pool.add(hard(9, 0.1, level="medium"))
    assert pool.counts() == [PoolCount("Trivia", "easy", 3, 0), PoolCount("Trivia", "medium", 1, 0)]
    assert [pool.take("Trivia", "easy").proposal.hardness for _ in range(3)] == [0.6, 0.5, 0.4]


def test_the_pool_keeps_the_hardest_of_any_stream(tmp_path):
    draw = random.Random(3)
    found = [draw.random() for _ in range(60)]
    pool = QuestionPool(None, capacity=10)
    for number, hardness in enumerate(found):
        try:
            pool.add(hard(number, hardness))
        except RejectedError as error:
            assert error.reason == "a full pool of harder ones"
    kept = [pool.take("Trivia").proposal.hardness for _ in range(10)]
    assert kept == sorted(found, reverse=True)[:10]
    pool.close()


def test_a_duplicate_of_what_waits_or_was_served_is_refused(pool):
    structure, text = proved(1), unproved(1)
    pool.add(structure)
    pool.add(text)
    reworded = replace(structure, question=replace(structure.question, text="Quite another text of no shared words?"))
    near = replace(text, question=replace(text.question, text=text.question.text.replace("x11", "x12")))
    moved = replace(text, question=text.question.permuted((3, 1, 0, 2)))
    for _ in range(2):
        assert refusal(lambda: pool.add(reworded)) == pool.duplicate(reworded) == "same structure"
        assert refusal(lambda: pool.add(near)) == pool.duplicate(near) == "similar text"
        assert refusal(lambda: pool.add(moved)) == pool.duplicate(moved) == "similar text"
        pool.take(SEATING)
        pool.take("Trivia")
    assert pool.duplicate(proved(2)) is None


def test_what_was_dropped_for_a_harder_one_may_come_again(pool):
    for number, hardness in enumerate((0.3, 0.5, 0.4, 0.6)):
        pool.add(hard(number, hardness))
    assert pool.duplicate(hard(0, 0.9)) is None
    pool.add(hard(0, 0.9))
    assert pool.take("Trivia").proposal.hardness == 0.9


def test_a_question_made_to_order_is_recorded_and_drops_its_likes_that_wait(pool):
    proposal = unproved(1)
    twin = replace(proposal, question=proposal.question.permuted((3, 1, 0, 2)))
    pool.add(twin)
    assert pool.duplicate(proposal, served_only=True) is None
    served = pool.serve(proposal)
    assert served.served_at_s > 0
    assert pool.counts() == [PoolCount("Trivia", "easy", 0, 1)]
    assert pool.duplicate(proposal, served_only=True) == "similar text"
    assert refusal(lambda: pool.serve(twin)) == "similar text"


def test_a_served_question_is_found_by_its_id_or_its_text_with_its_proof(pool, tmp_path):
    proposal = proved(1)
    pool.add(proposal)
    assert pool.served(question_id(proposal.question)) is None
    served = pool.take(SEATING)
    again = reopened(pool, tmp_path)
    for key in (served.id, f" {served.id}\n", proposal.question.text, proposal.question.text.upper()):
        assert again.served(key) == served
        assert again.served(key).proposal.proof == proposal.proof
    for key in ("", "no such id", "Who is it?"):
        assert again.served(key) is None
    again.close()


def test_a_restart_starts_warm_and_serves_nothing_again(pool, tmp_path):
    for seed in range(3):
        pool.add(proved(seed))
    first = pool.take(SEATING)
    again = reopened(pool, tmp_path)
    assert again.counts() == [PoolCount(SEATING, "easy", 2, 1)]
    assert refusal(lambda: again.add(first.proposal)) == "same structure"
    rest = [again.take(SEATING) for _ in range(3)]
    assert rest[2] is None
    assert len({first.id, rest[0].id, rest[1].id}) == 3
    again.close()


def test_two_pools_on_one_file_know_of_each_other(tmp_path):
    one, other = (QuestionPool(tmp_path / "pool.sqlite") for _ in range(2))
    one.add(unproved(1))
    assert refusal(lambda: other.add(unproved(1))) == "similar text"
    assert other.take("Trivia") is not None
    assert one.take("Trivia") is None
    assert refusal(lambda: one.serve(unproved(1))) == "similar text"
    one.close()
    other.close()


def test_a_pool_takes_over_another_ones_record_and_what_waits_there(pool):
    stand_in = QuestionPool(None)
    stand_in.add(unproved(1))
    stand_in.serve(unproved(2))
    stand_in.serve(proved(3))
    stand_in.add(unproved(4))
    pool.add(unproved(2))
    pool.add(unproved(4))
    for _ in range(2):
        pool.absorb(stand_in)
        assert pool.counts() == [PoolCount(SEATING, "easy", 0, 1), PoolCount("Trivia", "easy", 2, 1)]
    assert pool.served(proved(3).question.text).proposal == proved(3)
    stand_in.close()


def test_a_record_is_taken_over_even_when_another_process_served_its_like_meanwhile(pool):
    stand_in = QuestionPool(None)
    proposal = proved(3)
    other = replace(proposal, question=replace(proposal.question, text="Quite another text of no shared words?"))
    stand_in.serve(other)
    pool.serve(proposal)
    pool.absorb(stand_in)
    assert pool.served(other.question.text).proposal.question == other.question
    assert pool.served(proposal.question.text).proposal == proposal
    stand_in.close()


def test_what_another_pool_holds_counts_as_a_duplicate(pool):
    pool.add(unproved(1))
    pool.add(proved(1))
    stand_in = QuestionPool(None, elsewhere=pool.index)
    assert refusal(lambda: stand_in.serve(unproved(1))) == "similar text"
    assert refusal(lambda: stand_in.add(proved(1))) == "same structure"
    stand_in.serve(unproved(2))
    stand_in.close()
