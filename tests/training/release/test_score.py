"""Scores of candidate members, on the tiny model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from tiny_checkpoint import write_tiny_checkpoint
from training_toys import toy_rows

from agents.core.permutation import cyclic_orders, estimate_prior
from agents.core.prompts import PromptRenderer
from agents.engines.torch.engine import TransformersEngine
from training.curation.keyed_rows import KeyedRow
from training.recipe import CandidateRecipe
from training.release.score import score_members
from training.support.plain_model import plain_logprobs, plain_model

ROWS = [KeyedRow("toy", row.question, row.question.key or 0) for row in toy_rows(6)]
CANDIDATES = [
    CandidateRecipe(name="letter", method="letter", orders=1),
    CandidateRecipe(name="cloze", method="cloze"),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TransformersEngine]:
    checkpoint = write_tiny_checkpoint(tmp_path_factory.mktemp("score") / "base")
    engine = TransformersEngine.load(checkpoint, dtype="float32")
    yield engine
    asyncio.run(engine.close())


def test_every_row_has_the_scores_of_a_plain_forward_pass(engine: TransformersEngine, tmp_path: Any) -> None:
    told: list[tuple[str, int, int | None]] = []
    scored = asyncio.run(score_members(CANDIDATES, ROWS, engine, lambda *step: told.append(step)))
    assert [member.name for member in scored.members] == ["letter", "cloze"]
    assert told[-1] == ("scoring rows", 6, 6)
    model, renderer = plain_model(write_tiny_checkpoint(tmp_path / "base")), PromptRenderer(engine.tokenizer)
    for row, scores in zip(ROWS, scored.scores["cloze"], strict=True):
        prompt = renderer.cloze(row.question)
        start = len(prompt.token_ids) - 1
        for tokens, score in zip(prompt.continuations, scores, strict=True):
            table = plain_logprobs(model, [*prompt.token_ids, *tokens])
            assert score == pytest.approx(sum(float(table[start + i, t]) for i, t in enumerate(tokens)), abs=1e-3)


def test_only_letter_members_get_a_label_prior(engine: TransformersEngine, tmp_path: Any) -> None:
    scored = asyncio.run(score_members(CANDIDATES, ROWS, engine, lambda *step: None, prior_rows=1))
    priors = {member.name: member.prior for member in scored.members}
    assert priors["cloze"] == {}
    model, renderer = plain_model(write_tiny_checkpoint(tmp_path / "base")), PromptRenderer(engine.tokenizer)
    cycle = []
    for order in cyclic_orders(4):
        prompt = renderer.letter(ROWS[0].question, order)
        last = plain_logprobs(model, prompt.token_ids)[-1]
        cycle.append([float(last[label]) for label in prompt.label_ids])
    assert priors["letter"][4] == pytest.approx(estimate_prior([cycle]), abs=1e-3)
