"""The probe set: a few held-out rows, asked in every cyclic order of their choices."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from agents.permutation import cyclic_orders
from agents.prompts import PromptRenderer
from agents.schema import Question
from agents.scoring import Method
from training.guards import ProbeStats, probe_stats
from training.objective import choice_example, choice_scores, pack

BATCH_EXAMPLES = 8


def draw_probes(questions: Sequence[Question], count: int, *, seed: int) -> list[Question]:
    """Up to ``count`` of the questions, the same ones for the same seed."""
    return random.Random(f"{seed} probes").sample(list(questions), min(count, len(questions)))  # noqa: S311


class ProbeSet:
    """Implements ``watching.Probe`` for one method and prompt renderer."""

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
