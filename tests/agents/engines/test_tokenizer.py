"""Chat templates get the member's arguments and a fixed date; tokenizers that change text are refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tiny_checkpoint import TEMPLATE, write_tiny_checkpoint
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from agents.core.errors import DamagedModelError
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


def sentence_piece(folder: Path, *, prepends: bool) -> Path:
    """A SentencePiece-like tokenizer, with the old "Prepend ▁" normalizer or with the Metaspace that replaced it."""
    letters = [chr(code) for code in range(33, 127)]
    texts = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *letters]
    vocabulary = {text: number for number, text in enumerate([*texts, *(f"▁{letter}" for letter in letters)])}
    merges = [("▁", letter) for letter in letters]
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", byte_fallback=True))
    if prepends:
        backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        backend.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="first", split=False)
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    backend.add_special_tokens(["<s>", "</s>"])
    hf = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>", chat_template=TEMPLATE)
    hf.save_pretrained(folder)
    return folder


def with_class(folder: Path, name: str) -> Path:
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "tokenizer_class": name}))
    return folder


def advised(error: DamagedModelError) -> str:
    """The class that the sentence says to set."""
    found = re.search(r'"tokenizer_class": "(\w+)"', str(error))
    assert found is not None
    return found[1]


@pytest.mark.parametrize("name", ["LlamaTokenizerFast", "LlamaTokenizer"])
def test_a_byte_level_tokenizer_that_loses_spaces_is_refused_until_its_class_is_set(tmp_path: Path, name: str) -> None:
    folder = with_class(write_tiny_checkpoint(tmp_path), name)
    with pytest.raises(DamagedModelError, match="reads 'hello world' back as 'helloworld'") as refused:
        ChatTokenizer(folder)
    tokenizer = ChatTokenizer(with_class(folder, advised(refused.value)))
    assert tokenizer.decode(tokenizer.encode_text("hello world")) == "hello world"


def test_a_tokenizer_with_a_stray_token_before_each_text_is_refused_until_its_class_is_set(tmp_path: Path) -> None:
    folder = sentence_piece(tmp_path, prepends=True)
    with pytest.raises(DamagedModelError, match=re.escape("reads ' world' as ['▁', '▁w', 'o'")) as refused:
        ChatTokenizer(folder)
    tokenizer = ChatTokenizer(with_class(folder, advised(refused.value)))
    prompt = PromptRenderer(tokenizer).cloze(QUESTION)
    assert [tokenizer.hf.convert_ids_to_tokens(ids)[0] for ids in prompt.continuations] == ["▁r", "▁g"]


def test_a_tokenizer_with_metaspace_is_served(tmp_path: Path) -> None:
    tokenizer = ChatTokenizer(sentence_piece(tmp_path, prepends=False))
    assert tokenizer.hf.convert_ids_to_tokens(tokenizer.encode_text(" red")) == ["▁r", "e", "d"]
    assert tokenizer.decode(tokenizer.encode_text("a  b\nc")) == "a  b\nc"
