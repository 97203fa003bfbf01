"""Training probes: a few held-out rows, asked at the start and after each chunk, to notice a collapse.

Golden probes are another thing: prompts with recorded numbers, which engines must reproduce.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any, Protocol

from agents.core.permutation import cyclic_orders
from agents.core.prompts import PromptRenderer
from agents.core.schema import Question
from agents.core.scoring import Method
from training.curation.rows import CuratedRow
from training.guards import ProbeStats, probe_stats
from training.run.collate import MicroBatch, QuestionCollator
from training.run.objective import choice_example, choice_scores, pack

BATCH_EXAMPLES = 8
BATCH_WRITTEN = 4
"""Written questions a forward pass: each needs the logits of all its tokens."""


class TrainingProbes(Protocol):
    """Ask the model the probe rows."""

    def __call__(self, model: Any) -> ProbeStats: ...


def draw_probes(rows: Sequence[CuratedRow], count: int, *, seed: int) -> list[CuratedRow]:
    """Draw up to ``count`` of the rows, the same ones for the same seed."""
    return random.Random(f"{seed} probes").sample(list(rows), min(count, len(rows)))  # noqa: S311


class AnswerProbes:
    """Probes of a member that answers: each row in every cyclic order of its choices."""

    def __init__(self, questions: Sequence[Question], renderer: PromptRenderer, method: Method) -> None:
        self._method = method
        # A cloze score does not depend on the order: it is computed once, and only counted at every place.
        shown = [q.permuted(order) for q in questions for order in self._computed_orders(q)]
        identity = [tuple(range(len(q.choices))) for q in shown]
        self._examples = [choice_example(renderer, q, method, order) for q, order in zip(shown, identity, strict=True)]

    def _computed_orders(self, question: Question) -> list[tuple[int, ...]]:
        return cyclic_orders(len(question.choices), None if self._method == "letter" else 1)

    def __call__(self, model: Any) -> ProbeStats:
        """The model is put into evaluation for the probes, and back into training if it was there."""
        import torch

        was_training = model.training
        model.eval()
        device = next(model.parameters()).device
        places: list[int] = []
        keys: list[int] = []
        counts: list[int] = []
        nlls: list[float] = []
        masses: list[float] = []
        with torch.no_grad():
            for start in range(0, len(self._examples), BATCH_EXAMPLES):
                batch = self._examples[start : start + BATCH_EXAMPLES]
                scores = choice_scores(model, {name: t.to(device) for name, t in pack(batch).items()})
                shares = scores.log_softmax(-1)
                for i, example in enumerate(batch):
                    n, best = example.n_choices, int(scores[i].argmax())
                    for shift in range(1 if self._method == "letter" else n):
                        places.append((best - shift) % n)
                        keys.append((example.key - shift) % n)
                        counts.append(n)
                        nlls.append(-float(shares[i, example.key]))
                        masses.append(math.fsum(scores[i, :n].exp().tolist()))
        model.train(was_training)
        mass = masses if self._method == "letter" else None
        return probe_stats(places, keys, counts, nll_nats=nlls, label_mass=mass)


class WritingProbes:
    """Probes of a member that writes questions: each token of a held-out one, after the right ones.

    Of its statistics, ``accuracy`` is the share of tokens that the model finds likeliest and ``nll_nats`` the mean of a
    token's; there are no places and no labels. A model that writes the same token over and over loses at both.
    """

    def __init__(self, rows: Sequence[CuratedRow], collator: QuestionCollator) -> None:
        self._rows = len(rows)
        parts = [rows[start : start + BATCH_WRITTEN] for start in range(0, len(rows), BATCH_WRITTEN)]
        self._batches = [collator(MicroBatch(list(part), [], len(part))) for part in parts]

    def __call__(self, model: Any) -> ProbeStats:
        """The model is put into evaluation for the probes, and back into training if it was there."""
        import torch

        was_training = model.training
        model.eval()
        device = next(model.parameters()).device
        nll, right, tokens = 0.0, 0, 0
        with torch.no_grad():
            for batch in self._batches:
                inputs = {name: batch[name].to(device) for name in ("input_ids", "attention_mask")}
                written = batch["labels"][:, 1:].to(device)
                places = written != -100
                # Only where something is learnt: a softmax over the whole vocabulary at every place is a lot of memory.
                logits = model(**inputs, use_cache=False).logits[:, :-1][places].float()
                asked = written[places]
                nll += float(torch.nn.functional.cross_entropy(logits, asked, reduction="sum"))
                right += int((logits.argmax(-1) == asked).sum())
                tokens += len(asked)
        model.train(was_training)
        return ProbeStats(self._rows, right / tokens, top_share=0.0, label_mass=1.0, nll_nats=nll / tokens)
