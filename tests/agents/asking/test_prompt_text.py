"""The topic and the letter in a prompt, whatever it quotes."""

from __future__ import annotations

import json

import pytest
from organisers_prompts import EXAMPLE, generation_prompt, repair_prompt
from question_fakes import BEES

from agents.asking.prompt_text import PromptRequest, find_request, find_topic_field, find_written_question
from agents.core.schema import read_question

SEATING = "Puzzles/Seating Arrangements (Linear, Circular)"


@pytest.mark.parametrize("letter", "ABCD")
def test_topic_and_letter_are_found_in_the_organisers_prompt(letter):
    assert find_request(generation_prompt(letter=letter)) == PromptRequest(SEATING, letter)


def test_worked_examples_are_not_mistaken_for_the_topic_or_the_letter():
    prompt = generation_prompt("Logical Reasoning/Syllogisms", "D", [EXAMPLE, BEES, EXAMPLE])
    assert find_request(prompt) == PromptRequest("Logical Reasoning/Syllogisms", "D")
    before = f"Here is an example: {json.dumps(EXAMPLE)}\n\n" + generation_prompt("Syllogisms", "B")
    assert find_request(before) == PromptRequest("Syllogisms", "B")


@pytest.mark.parametrize(
    ("prompt", "topic", "letter"),
    [
        ("Write a question on the topic Syllogisms.", "Syllogisms", None),
        ('Generate a hard MCQ on topic "Family tree logic"', "Family tree logic", None),
        ("MCQ on topic: Series. Ensure that option b is the only correct one.", "Series", "B"),
        ('An MCQ on topic: Series.\n{"question": "...", "answer": "C"}', "Series", "C"),
        ('An MCQ on topic: Series.\nFormat: {"choices": [...], "answer": "C", ...}', "Series", "C"),
        (f"An MCQ on topic: Series.\n{json.dumps(EXAMPLE)}", "Series", None),
    ],
)
def test_other_wordings_are_read_as_well(prompt, topic, letter):
    assert find_request(prompt) == PromptRequest(topic, letter)


@pytest.mark.parametrize("prompt", ["", "Hello", "{" * 2000, repair_prompt(json.dumps(BEES)), "Solve this: 1 + 1"])
def test_a_prompt_that_names_no_topic_is_not_a_request(prompt):
    assert find_request(prompt) is None


def test_a_whole_question_to_be_repaired_is_found_behind_any_text():
    text = f"Sure! Here you go:\n```json\n{json.dumps(BEES)}\n```"
    question, explanation = find_written_question(repair_prompt(text))
    assert (question, explanation) == (read_question(BEES), BEES["explanation"])


@pytest.mark.parametrize("text", ['{"question": "cut of', "10000000", json.dumps({**BEES, "answer": "E"}), "{}"])
def test_in_a_repair_prompt_without_a_whole_question_there_is_none(text):
    assert find_written_question(repair_prompt(text)) is None


def test_the_topic_of_a_broken_question_is_found_and_the_formats_dots_are_none():
    assert find_topic_field(repair_prompt('{"topic": "Syllogisms", "question": "cut of')) == "Syllogisms"
    assert find_topic_field(repair_prompt("10000000")) is None


def test_a_hostile_prompt_is_read_in_a_moment():
    assert find_request('{"a":' * 20_000) is None
    assert find_written_question("{" * 200_000) is None
