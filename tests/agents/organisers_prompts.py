"""Prompts of the shape that the organisers' question agent sends."""

from __future__ import annotations

import json

EXAMPLE = {
    "question": "Generate an MCQ on topic: Chess. Ensure that option A is only factually correct.",
    "choices": ["A) Aunt", "B) Mother", "C) Sister", "D) Cousin"],
    "expected_answer": "A",
    "answer": "A",
    "explanation": "My father's father is the grandfather. The answer is A.",
    "topic": "Family tree logic",
}


def generation_prompt(topic="Puzzles/Seating Arrangements (Linear, Circular)", letter="C", examples=()):
    others = ", ".join(each for each in "ABCD" if each != letter)
    quoted = "".join(f"\n\nEXAMPLE: {json.dumps(example, indent=4)}" for example in examples)
    return (
        f"Generate an EXTREMELY DIFFICULT MCQ on topic: {topic}.\n\n"
        "**REQUIREMENTS:**\n"
        f'1. The "question" must be strictly relevant to the topic: {topic}.\n'
        f"2. Ensure that option {letter} is only factually correct, while options {others} are plausible but wrong.\n"
        f'3. The "answer" must be ONLY the letter {letter}.{quoted}\n\n'
        "RESPONSE FORMAT: Strictly a JSON object as below.\n"
        "{\n"
        f'  "topic": "{topic.split("/")[-1]}",\n'
        '  "question": "...",\n'
        '  "choices": ["A) ...", "B) ...", "C) ...", "D) ..."],\n'
        f'  "answer": "{letter}",\n'
        '  "explanation": "..."\n'
        "}"
    )


def repair_prompt(text):
    return (
        "Extract **ONLY** the topic, question, choices, answer, and explanation while discarding the rest.\n\n"
        f"String:\n{text}\n\nGiven Format:\n"
        '{\n  "topic": "...",\n  "question": "...",\n  "choices": [ "A) ...", "B) ...", ...],\n'
        '  "answer": "Only the option letter (A, B, C, or D)",\n  "explanation": "..."\n}'
    )
