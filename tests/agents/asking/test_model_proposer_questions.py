"""The real default model as a writer: mostly nonsense in the right form, and the gates take it for that."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from agent_fakes import manifest_of
from jsonschema_rs import is_valid

import puzzles
from agents.answering.voter import Voter
from agents.asking.gates.agreement import DISAGREES, UNSURE, AgreementGate
from agents.asking.gates.hardness import HardnessGate
from agents.asking.model_proposer import ModelProposer
from agents.asking.proposal import Proposal, RejectedError
from agents.asking.writing_prompt import question_schema, question_text
from agents.core.edition import load_edition
from agents.core.errors import QuestionError
from agents.core.manifest import Member
from agents.core.prompts import PromptRenderer
from agents.core.schema import Question, read_sound_question
from agents.core.topics import Topic
from agents.engines.torch.engine import TransformersEngine

EDITION = replace(load_edition("feb2026_iitd"), question_max_new_tokens=350)
"""Shorter than the edition's own: a draft that does not end in time is part of what is tested."""


@pytest.mark.parametrize("family", puzzles.FAMILIES)
@pytest.mark.parametrize("level", puzzles.LEVELS)
def test_every_family_s_puzzles_fit_the_schema_they_are_examples_of(family: str, level: Any):
    for seed in range(5):
        puzzle = puzzles.generate(family, level, seed)
        text = question_text(Question(puzzle.question, puzzle.choices, key=puzzle.key), puzzle.explanation)
        assert is_valid(question_schema(EDITION), json.loads(text))


@pytest.mark.model
def test_what_the_real_model_writes_to_the_end_fits_the_schema_and_the_rest_is_no_question(
    default_engine: TransformersEngine,
):
    member = Member(name="base", method="cloze_per_byte", weight=1.0)
    voter = Voter(member, default_engine, PromptRenderer(default_engine.tokenizer, default_engine.max_tokens))
    key_gate = AgreementGate(manifest_of(member), lambda: [voter])
    proposer = ModelProposer(lambda: default_engine, EDITION)

    async def fate(topic: str, seed: int) -> str:
        draft = await proposer.propose(Topic(topic), "easy", seed)
        assert isinstance(draft.row, str)
        try:
            question = read_sound_question(draft.row, topic=topic)
        except QuestionError:
            return "not a question"
        assert is_valid(question_schema(EDITION), json.loads(draft.row))
        assert question.key is not None
        assert len(set(question.choices)) == EDITION.choices
        hardness = (await HardnessGate(lambda: voter).check(Proposal(question, "", "model", "easy"))).hardness
        assert hardness is not None
        assert 0 <= hardness <= 1
        try:
            proof = (await key_gate.check(Proposal(question, "", "model", "easy"))).proof
        except RejectedError as error:
            return error.reason
        assert proof is not None
        assert proof["least_probability_of_key"] >= 0.5
        return "passed"

    topics = ("Mixed Series (Alphanumeric)", "Photosynthesis", "Syllogisms")
    fates = [asyncio.run(fate(topic, seed)) for seed, topic in enumerate(topics)]
    assert set(fates) <= {"not a question", "passed", DISAGREES, UNSURE}
    assert any(each != "not a question" for each in fates)
