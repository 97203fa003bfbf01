"""A question of 20 kB takes bounded tokens in bounded steps, and the honest ones behind it are answered."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_fakes import manifest_of
from tiny_checkpoint import write_tiny_checkpoint

from agents.answering.answerer import Answerer, AnswerResult
from agents.answering.voter import Voter
from agents.core.deadline import Deadline
from agents.core.manifest import Member, Method
from agents.core.prompts import MAX_CHOICES_TOKENS, MAX_QUESTION_TOKENS, PromptRenderer
from agents.core.schema import Question
from agents.engines.torch.engine import TransformersEngine
from agents.engines.torch.worker import MAX_BATCH_TOKENS

RNG = random.Random(15)
TEXT = " ".join("".join(RNG.choices("abcdefghij", k=6)) for _ in range(3_000))[:20_000]
LONG = {
    "question": Question(TEXT, ("red", "green", "blue", "grey")),
    "choices": Question("Which?", tuple(TEXT[i:] + str(i) for i in range(4))),
    "blanks": Question("Which" + " " * 20_000 + "one?", ("a" + " " * 5_000 + "b", "c", "d", "e")),
    "both": Question(TEXT, tuple(TEXT[::-1] + str(i) for i in range(10))),
}
HONEST = [Question(f"What is {i} and {i}?", (f"{2 * i}", f"{i}", "none", "all")) for i in range(4)]
FRAME_TOKENS = 200
"""Of the template, the labels and the words around the texts, in bytes."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TransformersEngine]:
    folder: Path = write_tiny_checkpoint(tmp_path_factory.mktemp("tiny"))
    engine = TransformersEngine.load(folder, dtype="float32")
    yield engine
    asyncio.run(engine.close())


@pytest.mark.parametrize("name", LONG)
def test_the_tokens_of_a_prompt_are_bounded(name: str, engine: TransformersEngine) -> None:
    renderer = PromptRenderer(engine.tokenizer, engine.max_tokens)
    question = LONG[name]
    order = tuple(range(len(question.choices)))
    started = time.process_time()
    letter, cloze, bare = renderer.letter(question, order), renderer.cloze(question), renderer.unconditional(question)
    assert time.process_time() - started < 1
    assert len(letter.token_ids) <= MAX_QUESTION_TOKENS + MAX_CHOICES_TOKENS + FRAME_TOKENS
    for prompt in (cloze, bare):
        assert len(prompt.token_ids) <= MAX_QUESTION_TOKENS + FRAME_TOKENS
        assert sum(map(len, prompt.continuations)) <= MAX_CHOICES_TOKENS
        assert all(prompt.continuations)
    assert letter.truncated is (name != "blanks")


def test_runs_of_blanks_cost_no_word(engine: TransformersEngine) -> None:
    renderer = PromptRenderer(engine.tokenizer, engine.max_tokens)
    plain = Question("Which one?", ("a b", "c", "d", "e"))
    assert renderer.letter(LONG["blanks"], (0, 1, 2, 3)) == renderer.letter(plain, (0, 1, 2, 3))
    assert renderer.cloze(LONG["blanks"]) == renderer.cloze(plain)


@pytest.mark.parametrize("method", ["letter", "cloze_pmi"])
def test_honest_questions_behind_a_long_one_are_answered_in_time(method: Method, engine: TransformersEngine) -> None:
    member = Member(name="one", method=method, weight=1)
    voter = Voter(member, engine, PromptRenderer(engine.tokenizer, engine.max_tokens))
    answerer = Answerer(manifest_of(member), [voter])

    async def work() -> list[AnswerResult]:
        await answerer.answer(Question("Warm?", ("yes", "no")), Deadline.never())
        deadline = Deadline.after(5.5)
        questions = [LONG["both"], *HONEST]
        found = await asyncio.gather(*(answerer.answer(question, deadline) for question in questions))
        assert not deadline.expired
        return list(found)

    long, *honest = asyncio.run(asyncio.wait_for(work(), 30))
    assert long.degraded
    assert all(report.vote for result in honest for report in result.members)
    assert engine.counters.largest_batch <= MAX_BATCH_TOKENS


def test_a_long_question_is_answered_and_flagged(engine: TransformersEngine) -> None:
    member = Member(name="one", method="cloze", weight=1)
    voter = Voter(member, engine, PromptRenderer(engine.tokenizer, engine.max_tokens))
    verdict = asyncio.run(Answerer(manifest_of(member), [voter]).answer(LONG["choices"], Deadline.never()))
    assert verdict.degraded
    assert "read without its middle" in verdict.answer.reasoning
