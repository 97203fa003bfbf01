"""Prompts through the real chat templates of the models that teams use, against golden texts.

``GOLDEN=write`` in the environment writes the texts anew.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from agents.core.errors import EngineError
from agents.core.prompts import PromptRenderer
from agents.core.schema import LETTERS, Question
from agents.engines.tokenizer import TODAY, ChatTokenizer

FOLDER = Path(__file__).parents[2] / "data" / "chat_templates"
CHATML = ["<|im_start|>", "<|im_end|>"]
CONTROLS = {
    "Qwen3": ["<|endoftext|>", *CHATML, "<think>", "</think>"],
    "Qwen2.5": ["<|endoftext|>", *CHATML],
    "Llama-3.1": ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
    "Mistral-7B-Instruct-v0.3": ["<s>", "</s>", "[INST]", "[/INST]"],
    "Phi-4-mini": ["<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"],
    "gemma-3": ["<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"],
    "DeepSeek-R1-Distill": ["<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<think>", "</think>"],
    "gpt-oss": ["<|startoftext|>", "<|start|>", "<|end|>", "<|message|>", "<|channel|>"],
}
"""The control tokens of each model that its prompts may hold; the first one begins a text."""
BEGINS = {"Llama-3.1", "Mistral-7B-Instruct-v0.3", "gemma-3", "DeepSeek-R1-Distill"}
"""The models whose templates write the token that begins a text."""
REFUSED = {"DeepSeek-R1-Distill": "</think>", "gpt-oss": "<|channel|>final<|message|>"}
"""What closes the thought of the templates that open one."""
ANSWERING = [name for name in CONTROLS if name not in REFUSED]
QUESTION = Question(
    "Which gas do plants take in?\nOne is right.", ("Oxygen", "Carbon dioxide", "<|im_end|><s>", "Neon")
)


def opened(folder: Path, name: str, ending: str = "") -> ChatTokenizer:
    """A byte-level tokenizer that knows ``name``'s control tokens, opens texts with the first, and has its template."""
    symbols = sorted(pre_tokenizers.ByteLevel.alphabet())
    merged = [f"Ġ{letter}" for letter in LETTERS]
    vocabulary = {text: number for number, text in enumerate([*symbols, *merged])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[("Ġ", letter) for letter in LETTERS]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(text, special=True) for text in CONTROLS[name]])
    begin = CONTROLS[name][0]
    backend.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A", special_tokens=[(begin, backend.token_to_id(begin))]
    )
    template = (FOLDER / f"{name}.jinja").read_text(encoding="utf-8") + ending
    hf = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=begin, eos_token=CONTROLS[name][1], chat_template=template
    )
    hf.save_pretrained(folder)
    return ChatTokenizer(folder)


def compare(name: str, text: str) -> None:
    file = FOLDER / "golden" / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        file.write_text(text, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", ANSWERING)
def test_the_prompts_are_the_golden_ones(tmp_path: Path, name: str) -> None:
    tokenizer = opened(tmp_path, name)
    renderer = PromptRenderer(tokenizer)
    letter = renderer.letter(QUESTION, (1, 2, 3, 0))
    cloze = renderer.cloze(QUESTION)
    parts = {
        "letters": letter.token_ids,
        "cloze": cloze.token_ids,
        "cloze without the question": renderer.unconditional(QUESTION).token_ids,
        "generation": renderer.generation("Write a question."),
    }
    texts = {part: tokenizer.hf.decode(ids) for part, ids in parts.items()}
    labels = [tokenizer.hf.decode([token]) for token in letter.label_ids]
    scored = [tokenizer.hf.decode(ids) for ids in cloze.continuations]
    assert labels == [" A", " B", " C", " D"]
    assert scored == [" Oxygen", " Carbon dioxide", " <|im_end|><s>", " Neon"]
    compare(name, "".join(f"--- {part}\n{text}|\n" for part, text in texts.items()))
    begin = tokenizer.hf.bos_token_id
    for ids in parts.values():
        assert ids.count(begin) == (name in BEGINS)
        assert begin not in ids[1:]


@pytest.mark.parametrize("name", REFUSED)
def test_a_template_that_leaves_a_thought_open_is_refused_and_what_closes_it_is_named(
    tmp_path: Path, name: str
) -> None:
    tokenizer = opened(tmp_path / "open", name)
    with pytest.raises(EngineError) as refused:
        PromptRenderer(tokenizer)
    text = tokenizer.render_chat([{"role": "user", "content": "Which?"}])
    compare(name, f"--- chat\n{text}|\n--- refused\n{refused.value}\n")
    named = re.search(r"generation prompt with (\S+), or", str(refused.value))
    assert named is not None
    assert named[1] == REFUSED[name]
    closed = opened(tmp_path / "closed", name, ending=named[1])
    prompt = closed.hf.decode(PromptRenderer(closed).letter(QUESTION, (0, 1, 2, 3)).token_ids)
    assert prompt.endswith(f"{named[1]}Answer:")


@pytest.mark.parametrize("name", CONTROLS)
def test_only_a_template_that_can_think_heeds_being_told_not_to(tmp_path: Path, name: str) -> None:
    tokenizer = opened(tmp_path, name)
    chat = [{"role": "user", "content": "Which?"}]
    assert (tokenizer.render_chat(chat) != tokenizer.render_chat(chat, {})) == (name == "Qwen3")


@pytest.mark.parametrize("name", CONTROLS)
def test_no_prompt_holds_the_date_of_today(tmp_path: Path, name: str) -> None:
    text = opened(tmp_path, name).render_chat([{"role": "user", "content": "Which?"}])
    years = set(re.findall(r"20\d\d-\d\d-\d\d|\d\d \w{3} 20\d\d", text))
    assert years <= {f"{TODAY}", f"{TODAY:%d %b %Y}"}
    assert bool(years) == (name in ("Llama-3.1", "gpt-oss"))


def test_each_template_has_its_origin_and_its_licence_beside_it() -> None:
    table = (FOLDER / "README.md").read_text(encoding="utf-8")
    for file in FOLDER.glob("*.jinja"):
        assert re.search(rf"^\| {re.escape(file.name)} \|[^|]+\|[^|]+\|[^|]+\|$", table, re.MULTILINE), file.name
    assert {file.stem for file in FOLDER.glob("*.jinja")} == set(CONTROLS)
