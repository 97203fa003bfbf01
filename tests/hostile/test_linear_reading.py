"""Every function that reads foreign text takes time in proportion to its length: a megabyte of its worst input each."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from char_tokenizer import CharTokenizer

from agents.answering.prompt_text import find_question, split_choices
from agents.asking.prompt_text import find_request, find_topic_field, find_written_question
from agents.asking.similarity_index import question_id, shingle_hashes
from agents.core.edition import load_edition
from agents.core.errors import InputError, QuestionError, describe
from agents.core.prompts import PromptRenderer
from agents.core.rules import broken_answer_rule, broken_question_rule, clip_words
from agents.core.schema import Question, key_index, read_question, read_questions, strip_labels
from agents.core.text_similarity import split_words
from agents.core.topics import families_of, find_topic, read_topics
from tournament.untrusted import clip, printable

SIZE = 500_000
QUICK_S = 0.5
"""Below this the growth of a time says nothing on a busy machine."""
EDITION = load_edition("feb2026_iitd")
RENDERER = PromptRenderer(CharTokenizer())

Work = Callable[[str], Any]


def readable(text: str) -> dict[str, Any]:
    return {"topic": text, "question": text, "choices": [f"{letter}) {text[:-1]}{letter}" for letter in "ABCD"]}


def refused(work: Work) -> Work:
    def run(text: str) -> None:
        try:
            work(text)
        except (InputError, QuestionError):
            return

    return run


READERS: dict[str, Work] = {
    "strip_labels": lambda text: strip_labels([text, text, "C) x", "D) y"]),
    "read_question": refused(lambda text: read_question(readable(text))),
    "read_questions": refused(read_questions),
    "read_question, JSON text": refused(read_question),
    "choices by letter": refused(lambda text: read_question({"question": "?", "choices": dict.fromkeys(text.split())})),
    "key_index": lambda text: key_index(text, ["x", text]),
    "letter prompt": lambda text: RENDERER.letter(Question(text, (text, text + "x")), (0, 1)),
    "cloze prompt": lambda text: RENDERER.cloze(Question(text, (text, text + "x"))),
    "find_question": lambda text: find_question(f"Question: {text}\nChoices: {text}", 4),
    "split_choices": split_choices,
    "find_request": find_request,
    "find_written_question": find_written_question,
    "find_topic_field": find_topic_field,
    "split_words": split_words,
    "shingle_hashes": lambda text: shingle_hashes(Question(text, ("a", "b"))),
    "question_id": lambda text: question_id(Question(text, ("a", "b"))),
    "broken_question_rule": lambda text: broken_question_rule({**readable(text), "answer": text}, len, EDITION),
    "broken_answer_rule": lambda text: broken_answer_rule({"answer": text, "reasoning": text}, len, EDITION),
    "clip_words": lambda text: clip_words(text, 100),
    "families_of": families_of,
    "find_topic": refused(lambda text: find_topic(text, [])),
    "read_topics": refused(lambda text: read_topics({text: [text]})),
    "describe": describe,
    "printable": printable,
    "clip": lambda text: clip(text, 100),
}
WORST = {
    "labels": "A) ",
    "labels without blanks": "A)",
    "parentheses": "(",
    "blanks": " ",
    "blank lines": "\n \n",
    "many short rows of blanks": " " * 16 + "x",
    "marks": "\nChoices: ",
    "marks with choices": "\nChoices: A) x B) ",
    "question marks": "\nQuestion: ",
    "braces": "{",
    "objects": '{"question": ',
    "brackets": "[",
    "on the topic": "on the topic: ",
    "digits": "9,",
    "quotes": '"topic": "',
    "words": "word ",
    "letters": "x",
    "control": "\x00\u202e",
    "option letters": "option A is ",
}


def seconds(work: Work, text: str) -> float:
    started = time.process_time()
    work(text)
    return time.process_time() - started


@pytest.mark.parametrize("reader", READERS)
def test_a_megabyte_is_read_in_proportion(reader: str) -> None:
    work = READERS[reader]
    slowest: dict[str, float] = {}
    for name, part in WORST.items():
        whole = part * (2 * SIZE // len(part))
        # A quadratic reader is found with a tenth, in a hundredth of the time.
        small_s = seconds(work, whole[: SIZE // 5])
        assert small_s < QUICK_S, f"{name}: {small_s:.1f} s for {SIZE // 5:,} characters"
        slowest[name] = seconds(work, whole)
        if slowest[name] > QUICK_S:
            half_s = seconds(work, whole[:SIZE])
            assert slowest[name] < 4 * half_s, f"{name}: {half_s:.1f} s, then {slowest[name]:.1f} s for twice as much"
    assert max(slowest.values()) < 5, slowest
