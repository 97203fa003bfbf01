"""What a step of the plan becomes: micro-batches, and the tokens of plain fine-tuning."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from char_tokenizer import CharTokenizer
from training_toys import PUZZLE, toy_rows

from agents.core.prompts import PromptRenderer
from agents.core.schema import Question
from training.plan.curriculum import PlanStep
from training.recipe import MemberRecipe
from training.run.collate import (
    CompletionCollator,
    MicroBatch,
    QuestionCollator,
    make_collator,
    micro_batches,
    split_by_length,
)
from training.run.question_writing import written_question

ROWS = toy_rows(9)
KNOWN = {row.id: row for row in ROWS}
STEP = PlanStep(4, 0, 1e-3, tuple(KNOWN), (False,) * 9)
END = 7


def member(**fields: object) -> MemberRecipe:
    return MemberRecipe.model_validate({"name": "m", "adapter": {"type": "lora", "rank": 1, "alpha": 1}, **fields})


@pytest.mark.parametrize("parts", [1, 2, 4, 9])
def test_micro_batches_hold_the_rows_of_the_step_once_in_order(parts: int) -> None:
    batches = micro_batches(STEP, KNOWN, parts, seed=1)
    assert [row for batch in batches for row in batch.rows] == ROWS
    assert {batch.step_rows for batch in batches} == {9}
    sizes = [len(batch.rows) for batch in batches]
    assert max(sizes) - min(sizes) <= 1


def test_orders_do_not_depend_on_how_a_step_is_cut() -> None:
    whole = micro_batches(STEP, KNOWN, 1, seed=1)[0].orders
    assert [order for batch in micro_batches(STEP, KNOWN, 3, seed=1) for order in batch.orders] == whole
    assert micro_batches(STEP, KNOWN, 1, seed=2)[0].orders != whole


def test_every_place_is_as_likely_for_a_choice() -> None:
    places = Counter(
        order.index(0)
        for step in range(400)
        for order in micro_batches(PlanStep(step, 0, 1, STEP.row_ids, STEP.replayed), KNOWN, 1, seed=0)[0].orders
    )
    # 3,600 draws over four places: a standard deviation of 26 around 900.
    assert all(abs(count - 900) < 4 * 26 for count in places.values())


def test_the_completion_is_the_key_and_the_end_of_the_turn() -> None:
    renderer = PromptRenderer(CharTokenizer())
    question = Question("Which?", ("one", "two", "three"), key=2)
    cloze = CompletionCollator(renderer, member(objective="sft"), end_id=END)
    prompt, completion = cloze.tokens(question, (0, 1, 2))
    assert prompt == renderer.cloze(question).token_ids
    assert completion == [*renderer.cloze(question).continuations[2], END]
    letter = CompletionCollator(renderer, member(objective="sft", method="letter"), end_id=END)
    prompt, completion = letter.tokens(question, (1, 2, 0))
    shown = renderer.letter(question, (1, 2, 0))
    assert (prompt, completion) == (shown.token_ids, [shown.label_ids[1], END])


def test_nothing_but_the_completion_is_learnt_from() -> None:
    collator = CompletionCollator(PromptRenderer(CharTokenizer()), member(objective="sft"), end_id=END)
    batch = micro_batches(STEP, KNOWN, 1, seed=1)[0]
    tensors = collator(batch)
    for row, question in enumerate(batch.questions):
        prompt, completion = collator.tokens(question, (0, 1, 2, 3))
        length = len(prompt) + len(completion)
        assert tensors["input_ids"][row, :length].tolist() == [*prompt, *completion]
        assert tensors["labels"][row].tolist()[: len(prompt)] == [-100] * len(prompt)
        assert tensors["labels"][row].tolist()[len(prompt) : length] == completion
        assert set(tensors["labels"][row].tolist()[length:]) <= {-100}
        assert tensors["attention_mask"][row].sum() == length


def test_a_member_that_writes_learns_the_whole_question_and_when_to_stop() -> None:
    tokenizer = CharTokenizer()
    collator = make_collator(PromptRenderer(tokenizer), tokenizer, member(task="question", objective="sft"), end_id=END)
    assert isinstance(collator, QuestionCollator)
    request, written = written_question(PUZZLE)
    prompt, completion = collator.tokens(PUZZLE)
    assert request in tokenizer.decode(prompt)
    assert written not in tokenizer.decode(prompt)
    assert (tokenizer.decode(completion[:-1]), completion[-1]) == (written, END)
    assert collator.longest_tokens(PUZZLE) == len(prompt) + len(completion)
    tensors = collator(MicroBatch([PUZZLE, PUZZLE], [(0, 1, 2, 3)] * 2, 2))
    learnt = tensors["labels"][1][tensors["labels"][1] != -100].tolist()
    assert learnt == completion


@pytest.mark.parametrize("objective", ["choice", "sft"])
def test_rows_that_are_too_long_are_left_out(objective: str) -> None:
    tokenizer = CharTokenizer()
    collator = make_collator(PromptRenderer(tokenizer), tokenizer, member(objective=objective), end_id=END)
    long = replace(ROWS[0], id="long", question=Question("Which? " * 50, ("a", "b"), key=0))
    fits, too_long = split_by_length(collator, [ROWS[0], long], 200)
    assert (fits, too_long) == ({ROWS[0].id: ROWS[0]}, ["long"])
