"""The check of a merge: a target model, and log-probs compared at every position of a few rendered questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.core.prompts import PromptRenderer
from agents.core.schema import Question
from agents.core.tokenizer import Tokenizer
from training.merging.deltas import MergedDeltas
from training.merging.factors import Adapter
from training.merging.options import MergeOptions
from training.support.plain_model import plain_logprobs, plain_model

EXACT_NATS = 1e-4
MIN_AGREEMENT = 0.98

QUESTIONS = (
    Question("Which gas do plants take in to make sugar?", ("Oxygen", "Carbon dioxide", "Helium", "Hydrogen"), key=1),
    Question("What is 7 times 8?", ("54", "63", "56", "48"), key=2),
    Question("Which planet is closest to the Sun?", ("Mercury", "Venus", "Mars", "Saturn"), key=0),
    Question("Who wrote Hamlet?", ("Dante", "Homer", "Cervantes", "Shakespeare"), key=3),
    Question("What do you need to measure temperature?", ("A thermometer", "A ruler", "A scale", "A clock"), key=0),
    Question("All cats are mammals. Tom is a cat. So Tom is", ("a dog", "a mammal", "a bird", "a fish"), key=1),
    Question("Which of these melts when it is warmed?", ("Wood", "Sand", "Ice", "Paper"), key=2),
    Question("The capital of Japan is", ("Kyoto", "Osaka", "Seoul", "Tokyo"), key=3),
)


@dataclass(frozen=True)
class Comparison:
    """How far a result's predictions are from its target's, over ``positions`` next-token distributions."""

    positions: int
    max_difference_nats: float
    mean_kl_nats: float
    top1_agreement: float


def check_prompts(tokenizer: Tokenizer) -> list[list[int]]:
    """Token ids of the questions above, each asked by letter and by cloze, with the key's text after the cloze."""
    renderer = PromptRenderer(tokenizer)
    prompts = []
    for question in QUESTIONS:
        prompts.append(renderer.letter(question, (0, 1, 2, 3)).token_ids)
        cloze = renderer.cloze(question)
        prompts.append([*cloze.token_ids, *cloze.continuations[question.key or 0]])
    return prompts


def logprob_tables(model: Any, prompts: Sequence[Sequence[int]]) -> list[Any]:
    """One float32 table [tokens, vocabulary] a prompt, natural-log probabilities. ``model`` becomes float64.

    In float32 the rounding of the forward pass alone moves log-probs of SmolLM2-135M by 1e-4 nats between an adapter
    and its exact merge; in float64 by 3e-5, most of it from norms that compute in float32 all the same.
    """
    model.double()
    return [plain_logprobs(model, prompt) for prompt in prompts]


def compare(target: Sequence[Any], found: Sequence[Any]) -> Comparison:
    """``found`` against ``target``; the divergence is KL(target ‖ found), averaged over positions.

    NaN counts as infinitely far.
    """
    positions = sum(len(table) for table in target)
    largest, divergence, agreeing = 0.0, 0.0, 0
    for wanted, got in zip(target, found, strict=True):
        largest = max(largest, float((wanted - got).abs().nan_to_num(float("inf")).max()))
        divergence += float((wanted.exp() * (wanted - got)).nan_to_num(float("inf")).double().sum())
        agreeing += int((wanted.argmax(-1) == got.argmax(-1)).sum())
    return Comparison(positions, largest, max(divergence / positions, 0.0), agreeing / positions)


def target_model(
    base: Path, adapters: Sequence[Adapter], options: MergeOptions, deltas: MergedDeltas
) -> tuple[str, Any]:
    """Return what the merge claims to equal, in words and as a float32 model.

    PEFT computes it, unmerged for one adapter and merged one by one for a sum, so that a mistake in our own algebra
    shows; the merges by sign have no definition but ours.
    """
    weights = options.weights_of(adapters)
    if options.by_sign:
        model = plain_model(base)
        deltas.add_to(model)
        return f"the base plus the {options.how} merge of the adapters' true deltas", model
    if weights == (1.0,):
        return "the adapter as PEFT runs it, unmerged", plain_model(base, adapters[0].folder)
    model = plain_model(base)
    original = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for adapter, weight in zip(adapters, weights, strict=True):
        merged = plain_model(base, adapter.folder).merge_and_unload()
        for module in adapter.factors:
            difference = merged.get_submodule(module).weight.data - original[f"{module}.weight"]
            model.get_submodule(module).weight.data += weight * difference
    return "the base plus the weighted sum of the deltas that PEFT merges, one adapter at a time", model
