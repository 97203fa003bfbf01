"""A prompt that would not fit the context loses the middle of its question, and says so."""

from __future__ import annotations

import asyncio

import pytest
from agent_fakes import ScriptedEngine, letter_member, manifest_of
from char_tokenizer import CharTokenizer

from agents.answering.answerer import Answerer, AnswerResult
from agents.answering.voter import Voter
from agents.core.deadline import Deadline
from agents.core.manifest import Method
from agents.core.prompts import PromptRenderer
from agents.core.schema import Question
from agents.core.tokenizer import Tokenizer

LONG = Question("Begin " + "x" * 500 + " end?", ("red", "green", "blue"))
ORDER = (0, 1, 2)


def text(token_ids: list[int]) -> str:
    return CharTokenizer().decode(token_ids)


def renderer(max_tokens: int | None) -> PromptRenderer:
    tokenizer: Tokenizer = CharTokenizer()
    return PromptRenderer(tokenizer, max_tokens)


def test_what_fits_to_the_token_is_left_whole() -> None:
    whole = renderer(None).letter(LONG, ORDER)
    fitting = renderer(len(whole.token_ids) + 1).letter(LONG, ORDER)
    assert (fitting.token_ids, fitting.truncated) == (whole.token_ids, False)
    assert renderer(len(whole.token_ids)).letter(LONG, ORDER).truncated


@pytest.mark.parametrize("max_tokens", [120, 121, 200, 399])
def test_the_middle_goes_and_both_ends_and_the_choices_stay(max_tokens: int) -> None:
    prompt = renderer(max_tokens).letter(LONG, ORDER)
    assert prompt.truncated
    # The label comes after it.
    assert len(prompt.token_ids) == max_tokens - 1
    shown = text(prompt.token_ids)
    assert shown.startswith("<user>Question: Begin xx")
    assert "xx end?\nChoices:\nA) red\nB) green\nC) blue\n<assistant>" in shown


def test_a_cloze_prompt_leaves_room_for_its_longest_choice_and_a_token() -> None:
    prompt = renderer(100).cloze(LONG)
    assert prompt.truncated
    assert len(prompt.token_ids) + max(map(len, prompt.continuations)) + 1 == 100
    assert renderer(100).unconditional(LONG).truncated is False


def test_some_of_the_question_is_left_even_where_the_choices_take_all() -> None:
    prompt = renderer(50).letter(Question("y" * 100, ("a" * 60, "b" * 60)), (0, 1))
    assert "y" * 16 in text(prompt.token_ids)
    assert len(prompt.token_ids) > 50


@pytest.mark.parametrize(("method", "orders"), [("letter", 2), ("cloze", None)])
def test_an_answer_from_a_cut_question_is_flagged(method: Method, orders: int | None) -> None:
    member = letter_member("m", orders=orders).model_copy(update={"method": method})
    engine = ScriptedEngine(knows={None: "green"}, max_tokens=200)

    def answer(question: Question) -> AnswerResult:
        voter = Voter(member, engine, PromptRenderer(engine.tokenizer, engine.max_tokens))
        return asyncio.run(Answerer(manifest_of(member), [voter]).answer(question, Deadline.never()))

    cut = answer(LONG)
    assert (cut.answer.letter, cut.degraded) == ("B", True)
    assert "read without its middle" in cut.answer.reasoning
    assert not answer(Question("Which?", LONG.choices)).degraded
