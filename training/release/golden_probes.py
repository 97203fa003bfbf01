"""Golden probes: prompts with reference log-probs, for engines to be held against.

The numbers are those of ``training.support.plain_model``, one forward pass each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agents.core.manifest import ContinuationProbe, NextTokenProbe, Probe
from agents.core.permutation import cyclic_orders
from agents.core.prompts import PromptRenderer
from agents.core.schema import Question
from agents.core.scoring import Method
from training.support.plain_model import plain_logprobs


def record_probes(model: Any, renderer: PromptRenderer, method: Method, questions: Sequence[Question]) -> list[Probe]:
    """One probe a question for a member of this method."""
    return [_record(model, renderer, method, question) for question in questions]


def _record(model: Any, renderer: PromptRenderer, method: Method, question: Question) -> Probe:
    if method == "letter":
        letter = renderer.letter(question, cyclic_orders(len(question.choices))[0])
        last = plain_logprobs(model, letter.token_ids)[-1]
        return NextTokenProbe(
            prompt=letter.token_ids,
            candidates=letter.label_ids,
            logprobs=[_rounded(last[label]) for label in letter.label_ids],
        )
    cloze = renderer.cloze(question)
    start = len(cloze.token_ids) - 1
    logprobs = []
    for continuation in cloze.continuations:
        table = plain_logprobs(model, [*cloze.token_ids, *continuation])
        logprobs.append([_rounded(table[start + i, token]) for i, token in enumerate(continuation)])
    return ContinuationProbe(prompt=cloze.token_ids, continuations=cloze.continuations, logprobs=logprobs)


def _rounded(value: Any) -> float:
    return min(round(float(value), 6), 0.0)
