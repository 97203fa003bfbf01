"""Whether a merged model predicts what it claims to: log-probs at every position of a few rendered questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.core.prompts import PromptRenderer
from agents.core.schema import Question
from agents.core.tokenizer import Tokenizer
from training.support.plain_model import plain_logprobs

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
