"""From rows of the plan to what the model is fed, rendered as serving renders them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from agents.core.permutation import Order, all_orders, cyclic_orders
from agents.core.prompts import PromptRenderer
from agents.core.schema import Question
from agents.core.tokenizer import Tokenizer
from training.curation.rows import CuratedRow
from training.plan.curriculum import PlanStep
from training.recipe import MemberRecipe
from training.run.objective import ChoiceExample, Tensors, choice_example, pack
from training.run.question_writing import written_question

FEW_CHOICES = 4
"""Up to so many choices any order may come up in training; above, a rotation: 10! orders are not worth listing."""


@dataclass(frozen=True)
class MicroBatch:
    """Rows that go through the model together, as part of an optimiser step of ``step_rows`` rows on all devices."""

    rows: list[CuratedRow]
    orders: list[Order]
    step_rows: int

    @property
    def questions(self) -> list[Question]:
        return [row.question for row in self.rows]


def micro_batches(step: PlanStep, known: Mapping[str, CuratedRow], parts: int, *, seed: int) -> list[MicroBatch]:
    """A plan's step in ``parts`` micro-batches whose sizes differ by one row at most; some are empty in a small step.

    ``known`` are rows by their id.

    The order in which a letter prompt shows the choices depends on the seed, the step and the place in it alone.
    """
    draw = random.Random(f"{seed} {step.step}")  # noqa: S311
    rows = [known[row_id] for row_id in step.row_ids]
    orders = [draw.choice(_orders(len(row.question.choices))) for row in rows]
    borders = [len(rows) * i // parts for i in range(parts + 1)]
    return [MicroBatch(rows[start:stop], orders[start:stop], len(rows)) for start, stop in pairwise(borders)]


def _orders(n: int) -> list[Order]:
    return all_orders(n) if n <= FEW_CHOICES else cyclic_orders(n)


class ChoiceCollator:
    """Micro-batches as packed trees (``training.run.objective``)."""

    def __init__(self, renderer: PromptRenderer, member: MemberRecipe) -> None:
        self._renderer, self._method = renderer, member.method

    def example(self, question: Question, order: Order) -> ChoiceExample:
        return choice_example(self._renderer, question, self._method, order)

    def __call__(self, batch: MicroBatch) -> Tensors:
        examples = [self.example(q, order) for q, order in zip(batch.questions, batch.orders, strict=True)]
        return {**pack(examples), "step_rows": batch.step_rows}

    def longest_tokens(self, row: CuratedRow) -> int:
        """Tokens of the longest sequence the row needs."""
        example = self.example(row.question, tuple(range(len(row.question.choices))))
        return max(len(tokens) for tokens, _ in example.sequences) + 1


class CompletionCollator:
    """Micro-batches as padded rows; what is learnt is the completion: the key's label or text, and the turn's end."""

    def __init__(self, renderer: PromptRenderer, member: MemberRecipe, *, end_id: int) -> None:
        self._renderer, self._method, self._end_id = renderer, member.method, end_id

    def tokens(self, question: Question, order: Order) -> tuple[list[int], list[int]]:
        """Prompt and completion."""
        if question.key is None:
            raise ValueError("a question without a key teaches nothing")
        if self._method == "letter":
            letter = self._renderer.letter(question, order)
            return letter.token_ids, [letter.label_ids[order.index(question.key)], self._end_id]
        cloze = self._renderer.cloze(question)
        return cloze.token_ids, [*cloze.continuations[question.key], self._end_id]

    def __call__(self, batch: MicroBatch) -> Tensors:
        rows = [self.tokens(q, order) for q, order in zip(batch.questions, batch.orders, strict=True)]
        return _padded(rows, self._end_id)

    def longest_tokens(self, row: CuratedRow) -> int:
        prompt, completion = self.tokens(row.question, tuple(range(len(row.question.choices))))
        return len(prompt) + len(completion)


class QuestionCollator:
    """Micro-batches as padded rows; what is learnt is the completion: a question in JSON, and the turn's end.

    The choices stand in the row's own order: curation has balanced the keys.
    """

    def __init__(self, renderer: PromptRenderer, tokenizer: Tokenizer, *, end_id: int) -> None:
        self._renderer, self._tokenizer, self._end_id = renderer, tokenizer, end_id

    def tokens(self, row: CuratedRow) -> tuple[list[int], list[int]]:
        """Prompt and completion."""
        request, written = written_question(row)
        return self._renderer.generation(request), [*self._tokenizer.encode_text(written), self._end_id]

    def __call__(self, batch: MicroBatch) -> Tensors:
        return _padded([self.tokens(row) for row in batch.rows], self._end_id)

    def longest_tokens(self, row: CuratedRow) -> int:
        return sum(map(len, self.tokens(row)))


def _padded(rows: Sequence[tuple[list[int], list[int]]], end_id: int) -> Tensors:
    """Prompts with their completions, [rows, longest]: ``labels`` are -100 except where a completion stands."""
    import torch

    longest = max(len(prompt) + len(completion) for prompt, completion in rows)
    shape = (len(rows), longest)
    ids = torch.full(shape, end_id)
    labels, mask = torch.full(shape, -100), torch.zeros(shape, dtype=torch.long)
    for i, (prompt, completion) in enumerate(rows):
        length = len(prompt) + len(completion)
        ids[i, :length] = torch.tensor([*prompt, *completion])
        labels[i, len(prompt) : length] = torch.tensor(completion)
        mask[i, :length] = 1
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


Collator = ChoiceCollator | CompletionCollator | QuestionCollator


def make_collator(renderer: PromptRenderer, tokenizer: Tokenizer, member: MemberRecipe, *, end_id: int) -> Collator:
    if member.task == "question":
        return QuestionCollator(renderer, tokenizer, end_id=end_id)
    if member.objective == "choice":
        return ChoiceCollator(renderer, member)
    return CompletionCollator(renderer, member, end_id=end_id)


def split_by_length(
    collator: Collator, rows: Sequence[CuratedRow], max_tokens: int
) -> tuple[dict[str, CuratedRow], list[str]]:
    """The rows that fit by id, and the ids of those that do not."""
    fits: dict[str, CuratedRow] = {}
    too_long: list[str] = []
    for row in rows:
        if collator.longest_tokens(row) <= max_tokens:
            fits[row.id] = row
        else:
            too_long.append(row.id)
    return fits, too_long
