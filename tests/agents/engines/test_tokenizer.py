"""Chat templates get the member's arguments and a fixed date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_checkpoint import write_tiny_checkpoint

from agents.core.prompts import PromptRenderer
from agents.core.schema import Question
from agents.core.tokenizer import NO_THINKING, TemplateArguments
from agents.engines.tokenizer import ChatTokenizer

USER = "{% for m in messages %}<|start|>{{ m['content'] }}<|end|>{% endfor %}<|start|>"
THINKS = USER + "{% if enable_thinking is defined and enable_thinking is false %}(no thought){% endif %}"
DATED = "{{ strftime_now('%Y-%m-%d') }} {{ strftime_now('%d %B %Y') }}" + USER
MESSAGES = [{"role": "user", "content": "hello"}]
QUESTION = Question("Which?", ("red", "green"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("tokenizer"))


def templated(folder: Path, template: str) -> ChatTokenizer:
    tokenizer = ChatTokenizer(folder)
    tokenizer.hf.chat_template = template
    return tokenizer


@pytest.mark.parametrize(
    ("arguments", "ending"),
    [(NO_THINKING, "(no thought)"), ({"enable_thinking": True}, ""), ({}, ""), ({"other": 1}, "")],
)
def test_the_template_reads_the_arguments(folder: Path, arguments: TemplateArguments, ending: str) -> None:
    tokenizer = templated(folder, THINKS)
    assert tokenizer.render_chat(MESSAGES, arguments) == f"<|start|>hello<|end|><|start|>{ending}"
    prompt = PromptRenderer(tokenizer, template_arguments=arguments).letter(QUESTION, (0, 1)).token_ids
    assert tokenizer.decode(prompt).endswith(f"green{ending}Answer:")


def test_without_arguments_a_template_is_told_not_to_think(folder: Path) -> None:
    tokenizer = templated(folder, THINKS)
    assert tokenizer.render_chat(MESSAGES).endswith("(no thought)")
    prompt = PromptRenderer(tokenizer).generation("hello")
    assert tokenizer.decode(prompt) == "hello(no thought)"


@pytest.mark.parametrize("arguments", [NO_THINKING, {"enable_thinking": True}, {"unknown": "x"}])
def test_a_template_ignores_arguments_that_it_does_not_know(folder: Path, arguments: dict[str, Any]) -> None:
    tokenizer = ChatTokenizer(folder)
    plain = tokenizer.hf.apply_chat_template(MESSAGES, tokenize=False, add_generation_prompt=True)
    assert tokenizer.render_chat(MESSAGES, arguments) == plain


def test_a_template_that_writes_the_date_writes_the_same_one_every_day(folder: Path) -> None:
    assert templated(folder, DATED).render_chat(MESSAGES).startswith("2024-07-26 26 July 2024<|start|>")
