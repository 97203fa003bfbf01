"""Cross-entropy over the scores of the choices: what the ensemble decides by is what is trained.

The prompts of a batch share the template's tokens, and those of a question its text, so a batch is packed as a tree (as
the engine packs it, ``engines.torch.token_tree``): one sequence without padding in which every shared token stands
once, with a mask. Its loss and gradients are those of the prompts one by one, since every token sees exactly what it
would see alone. On the rows of ``benchmarks.training`` that is a fifth of the tokens of the padded prompts and a 31st
of the places whose logits are computed, and 12 times as many rows a minute (SmolLM2-135M, two CPU cores).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.core.permutation import Order
from agents.core.prompts import ClozePrompt, PromptRenderer
from agents.core.schema import Question
from agents.core.scoring import Method
from agents.engines.torch.forward import packed_inputs
from agents.engines.torch.token_tree import Layout, Run, TokenTree
from agents.engines.torch.windows import read_windows

Tensors = dict[str, Any]


@dataclass(frozen=True)
class Term:
    """A token at a position of a sequence whose log-prob, times ``factor``, counts towards the score of a choice."""

    position: int
    token: int
    choice: int
    factor: float = 1.0


@dataclass(frozen=True)
class ChoiceExample:
    """A question as the model reads it: token sequences, each with its terms, and the key."""

    sequences: list[tuple[list[int], list[Term]]]
    n_choices: int
    key: int


def choice_example(renderer: PromptRenderer, question: Question, method: Method, order: Order) -> ChoiceExample:
    """``question`` for a member of ``method``; letter prompts show its choices in ``order``.

    The scores are those of ``agents.core.scoring``. Raises ValueError for a question without a key.
    """
    if question.key is None:
        raise ValueError("a question without a key teaches nothing")
    if method == "letter":
        letter = renderer.letter(question, order)
        last = len(letter.token_ids) - 1
        terms = [Term(last, label, choice) for label, choice in zip(letter.label_ids, order, strict=True)]
        return ChoiceExample([(letter.token_ids, terms)], len(order), question.key)
    cloze = renderer.cloze(question)
    factors = [1 / len(c.encode()) if method == "cloze_per_byte" else 1.0 for c in question.choices]
    sequences = _continuations(cloze, factors)
    if method == "cloze_pmi":
        sequences += _continuations(renderer.unconditional(question), [-1.0] * len(question.choices))
    return ChoiceExample(sequences, len(question.choices), question.key)


def _continuations(prompt: ClozePrompt, factors: Sequence[float]) -> list[tuple[list[int], list[Term]]]:
    start = len(prompt.token_ids) - 1
    return [
        (
            [*prompt.token_ids, *tokens[:-1]],
            [Term(start + i, token, choice, factor) for i, token in enumerate(tokens)],
        )
        for choice, (tokens, factor) in enumerate(zip(prompt.continuations, factors, strict=True))
    ]


def pack(examples: Sequence[ChoiceExample]) -> Tensors:
    """A batch as one sequence: the model's inputs, the places whose logits are read, the terms, and the keys.

    ``term_place`` counts into ``places``; ``term_choice`` counts the choices of all examples, ``row`` says which
    example each of those belongs to and ``column`` which choice it is there. ``keys`` is [examples].
    """
    import torch

    tree = TokenTree()
    for example in examples:
        for tokens, terms in example.sequences:
            tree.insert(tokens, min(term.position for term in terms))
    paths = [[tree.path(tokens) for tokens, _ in example.sequences] for example in examples]
    layout = tree.layout(path for row in paths for path in row)
    found = _placed_terms(examples, paths, layout)
    offsets, token_ids, choices, factors = map(list, zip(*found, strict=True))
    places, term_place = torch.tensor(offsets).unique(return_inverse=True)
    return {
        **packed_inputs(layout),
        "places": places,
        "term_place": term_place,
        "term_token": torch.tensor(token_ids),
        "term_choice": torch.tensor(choices),
        "term_factor": torch.tensor(factors),
        "row": torch.tensor([i for i, example in enumerate(examples) for _ in range(example.n_choices)]),
        "column": torch.tensor([c for example in examples for c in range(example.n_choices)]),
        "keys": torch.tensor([example.key for example in examples]),
    }


def _placed_terms(
    examples: Sequence[ChoiceExample], paths: Sequence[Sequence[Sequence[Run]]], layout: Layout
) -> list[tuple[int, int, int, float]]:
    """Every term as its offset in the packed sequence, its token, its choice among all examples', and its factor."""
    found = []
    first = 0
    for example, row in zip(examples, paths, strict=True):
        for (_, terms), path in zip(example.sequences, row, strict=True):
            found += [(layout.offset(path, t.position), t.token, first + t.choice, t.factor) for t in terms]
        first += example.n_choices
    return found


def choice_scores(model: Any, batch: Tensors) -> Any:
    """Scores [examples, most choices] in float32; minus infinity where an example has fewer choices."""
    import torch

    positions = batch["position_ids"][0]
    # On several devices the model is wrapped in one that has no configuration.
    windows = read_windows(getattr(model, "module", model).config.get_text_config())
    logits = (
        model(
            input_ids=batch["input_ids"],
            position_ids=batch["position_ids"],
            attention_mask=windows.masks(batch["attention_mask"], positions, positions),
            use_cache=False,
            logits_to_keep=batch["places"],
        )
        .logits[0]
        .float()
    )
    logprobs = logits.log_softmax(-1)[batch["term_place"], batch["term_token"]] * batch["term_factor"]
    flat = torch.zeros(len(batch["row"]), device=logits.device).index_add(0, batch["term_choice"], logprobs)
    shape = (len(batch["keys"]), int(batch["column"].max()) + 1)
    return torch.full(shape, -torch.inf, device=logits.device).index_put((batch["row"], batch["column"]), flat)


def choice_losses(model: Any, batch: Tensors) -> Any:
    """The cross-entropy of each example's key under the softmax of its scores: [examples], in nats."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(choice_scores(model, batch), batch["keys"], reduction="none")
