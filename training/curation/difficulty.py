"""How hard a question is, in [0, 1]: by a model where there is one, else by a heuristic; and the thirds of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from agents.answering.voter import Voter
from agents.core.errors import PromptTooLongError
from agents.core.manifest import Member
from agents.core.prompts import PromptRenderer
from agents.core.schema import Question
from agents.core.text_similarity import question_words
from agents.engines.protocol import Engine
from training.curation.rows import LEVELS
from training.support.progress import StepProgress, no_progress

Scorer = Callable[[Sequence[Question]], Sequence[float]]
"""Questions with their keys -> one difficulty each, in [0, 1]."""

CONCURRENT_QUESTIONS = 8


def heuristic_difficulty(questions: Sequence[Question]) -> list[float]:
    """The mean of three signs in [0, 1], none of which needs a model:

    - length: words of the key / (words of the key + mean words of the distractors); a base that scores the choices'
      texts finds a long one improbable;
    - echo: near 1 when a distractor repeats more of the question's words than the key does, near 0 when the key does;
      a reader who only matches words is led astray, or is led to the key;
    - chance: 1 - 1 / the number of choices.

    Its rank correlation with ``model_difficulty`` under SmolLM2-135M-Instruct is 0.41 over 345 rows of six sources
    that had no part in choosing the signs. Length of the question, negation, numbers and likeness of the
    choices had none (between -0.12 and 0.01 over 600 rows) and are left out. A base that scores letters may differ.
    """
    return [_heuristic(question) for question in questions]


def _heuristic(question: Question) -> float:
    words = question_words(question)
    asked = set(words.text)
    key = words.choices[question.key or 0]
    distractors = [choice for i, choice in enumerate(words.choices) if i != question.key]
    distractor_words = sum(map(len, distractors)) / len(distractors)
    key_echo, *echoes = (len(asked.intersection(choice)) / len(choice) for choice in (key, *distractors))
    length = len(key) / (len(key) + distractor_words)
    echo = (1 + max(echoes) - key_echo) / 2
    return (length + echo + 1 - 1 / len(words.choices)) / 3


async def model_difficulty(
    questions: Sequence[Question], engine: Engine, advance: StepProgress = no_progress
) -> list[float]:
    """1 − the probability that the engine's own model, without any adapter, gives the key (cloze, no temperature).

    A question that does not fit in the model's context counts as hardest. ``advance`` is told the questions done and
    all of them. Raises as the engine does.
    """
    member = Member(name="base", method="cloze", weight=1.0)
    voter = Voter(member, engine, PromptRenderer(engine.tokenizer))
    difficulties: list[float] = []
    # In batches: a task a question would be hundreds of megabytes of tasks.
    for start in range(0, len(questions), CONCURRENT_QUESTIONS):
        batch = questions[start : start + CONCURRENT_QUESTIONS]
        difficulties += await asyncio.gather(*(_doubt(voter, question) for question in batch))
        advance(len(difficulties), len(questions))
    return difficulties


async def _doubt(voter: Voter, question: Question) -> float:
    if question.key is None:
        raise ValueError("a question without a key")
    try:
        vote = await voter.complete_vote(question)
    except PromptTooLongError:
        return 1.0
    return 1.0 - vote.probabilities[question.key]


def levels_of(difficulties: Sequence[float]) -> list[str]:
    """Easy, medium or hard for each row: the lowest third, the middle and the highest; equal ones in row order."""
    order = sorted(range(len(difficulties)), key=lambda i: difficulties[i])
    levels = [""] * len(order)
    for rank, i in enumerate(order):
        levels[i] = LEVELS[rank * len(LEVELS) // len(order)]
    return levels
