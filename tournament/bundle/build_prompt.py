"""Prompts by which the organisers' own agents repair a text. They import this file by its two names.

``agents/answer_model.py`` gives texts that need no repair, so nothing here is called unless it is replaced.
"""

import json


def auto_json(json_str: str) -> str:
    """A prompt to rewrite what is nearly JSON as JSON."""
    return (
        "The text below was meant to be one JSON object and cannot be parsed. Write that object again, with the same "
        "keys and values, as valid JSON: double quotes, no trailing commas, no code fence. Reply with it alone.\n\n"
        f"{json_str}"
    )


def option_extractor_prompt(answer_string: str, choices: list[str]) -> str:
    """A prompt to name the letter that an answer means; ``choices`` is a list such as ``["A) x", …]``."""
    return (
        "Which of the choices does this answer mean? Reply with its letter alone: A, B, C or D.\n\n"
        f"Answer: {answer_string}\nOptions: {json.dumps(choices, ensure_ascii=False)}"
    )
