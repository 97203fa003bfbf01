"""Golden probes: prompts with log-probs computed the plain way, one forward pass each, for engines to be held against.

Nothing of an engine is used here, no cache, no batch, no merged adapter, so that an engine that reproduces the numbers
has shown something.
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
from agents.engines.torch.engine import load_model


def plain_model(checkpoint: Path, adapter: Path | None = None) -> Any:
    """The checkpoint in float32, with the adapter attached through PEFT and left unmerged."""
    import torch

    model = load_model(checkpoint, torch.float32)
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, str(adapter), local_files_only=True)
    return model.eval()


def plain_logprobs(model: Any, token_ids: Sequence[int]) -> Any:
    """Natural-log probabilities of every next token, float32 [len(token_ids), vocabulary], in one forward pass."""
    import torch

    with torch.inference_mode():
        return model(torch.tensor([list(token_ids)])).logits[0].float().log_softmax(-1)


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
