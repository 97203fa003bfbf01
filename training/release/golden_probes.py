"""Step five of a release: golden probes, prompts with reference log-probs for engines to be held against.

The numbers are those of ``training.support.plain_model``, one forward pass each.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.core.manifest import ContinuationProbe, NextTokenProbe, Probe
from agents.core.permutation import cyclic_orders
from agents.core.prompts import PromptRenderer
from agents.core.schema import Question
from agents.core.scoring import Method
from training.support.plain_model import plain_logprobs, plain_model


class ProbeRecorder:
    """Records the probes of one member after the other, with one model in memory at a time."""

    def __init__(self, renderer: PromptRenderer, questions: Sequence[Question]) -> None:
        self._renderer, self._questions = renderer, questions
        self._opened: tuple[Path, Path | None] | None = None
        self._model: Any = None

    def record(self, opens: tuple[Path, Path | None], method: Method) -> list[Probe]:
        """Record one probe a question, with the checkpoint and adapter of ``opens``; the last model is kept for reuse.

        Raises as ``plain_model`` does.
        """
        if self._model is None or opens != self._opened:
            self._model = None
            self._model, self._opened = plain_model(*opens), opens
        return record_probes(self._model, self._renderer, method, self._questions)

    def free_model(self) -> None:
        """Make room for a merge: the next ``record`` loads its model anew."""
        self._model = None


def record_probes(model: Any, renderer: PromptRenderer, method: Method, questions: Sequence[Question]) -> list[Probe]:
    """Record one probe a question for a member of this method."""
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
