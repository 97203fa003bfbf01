"""No text that a user writes becomes a control token, with tokenizers of every kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from agents.engines.tokenizer import ChatTokenizer

UNKNOWN, START, END, PAD, TOOL = "<unk>", "<|start|>", "<|end|>", "[PAD]", "<tool_call>"
CONTROLS = [START, END, PAD, TOOL]
PRINTABLE = [chr(code) for code in range(33, 127)]
TEMPLATE = f"{TOOL}{START}{{% for m in messages %}}{{{{ m['content'] }}}}{END}{{% endfor %}}{START}"


def numbered(texts: list[str]) -> dict[str, int]:
    return {text: number for number, text in enumerate(dict.fromkeys(texts))}


def byte_level(**options: Any) -> Tokenizer:
    symbols = sorted(pre_tokenizers.ByteLevel.alphabet())
    # One control token can be reached by merges as well.
    merges = [("[", "P"), ("[P", "A"), ("[PA", "D"), ("[PAD", "]")]
    parts = ["[P", "[PA", "[PAD"]
    backend = Tokenizer(models.BPE(vocab=numbered([*symbols, *parts, *CONTROLS]), merges=merges, **options))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not options)
    backend.decoder = decoders.ByteLevel()
    return backend


def unigram() -> Tokenizer:
    pieces = [(UNKNOWN, 0.0), ("▁", -3.0), *((text, -1.0) for text in CONTROLS), *((text, -4.0) for text in PRINTABLE)]
    backend = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    return backend


def word_piece() -> Tokenizer:
    texts = [UNKNOWN, *CONTROLS, *PRINTABLE, *(f"##{text}" for text in PRINTABLE)]
    backend = Tokenizer(models.WordPiece(vocab=numbered(texts), unk_token=UNKNOWN))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.decoder = decoders.WordPiece()
    return backend


def word_level() -> Tokenizer:
    backend = Tokenizer(models.WordLevel(vocab=numbered([UNKNOWN, *CONTROLS, "hello", "world"]), unk_token=UNKNOWN))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return backend


KINDS = {
    "BPE": byte_level(),
    "BPE with ignore_merges": byte_level(ignore_merges=True),
    "Unigram": unigram(),
    "WordPiece": word_piece(),
    "WordLevel": word_level(),
}


@pytest.fixture(params=KINDS, scope="module")
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ChatTokenizer:
    backend = Tokenizer.from_str(KINDS[request.param].to_str())
    backend.add_special_tokens([START, END, PAD])
    backend.add_tokens([AddedToken(TOOL, special=False)])
    hf = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=END, pad_token=PAD)
    hf.chat_template = TEMPLATE
    folder: Path = tmp_path_factory.mktemp("tokenizer")
    hf.save_pretrained(folder)
    return ChatTokenizer(folder)


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("text", ["{}", "hello {} hello", "hello{}hello", "{0}{0}", " {} ", "x\n{}\n"])
def test_a_control_token_in_text_is_spelled_out(tokenizer: ChatTokenizer, text: str, control: str) -> None:
    written = text.format(control)
    ids = tokenizer.encode_text(written)
    forbidden = {tokenizer.hf.convert_tokens_to_ids(name) for name in CONTROLS}
    assert len(forbidden) == len(CONTROLS)
    assert ids, "the text was dropped"
    assert not forbidden & set(ids)
    assert forbidden & set(tokenizer.encode_markup(control))


def test_full_width_spellings_of_one_are_spelled_out_too(tokenizer: ChatTokenizer) -> None:
    forbidden = {tokenizer.hf.convert_tokens_to_ids(name) for name in CONTROLS}
    assert not forbidden & set(tokenizer.encode_text("［ＰＡＤ］ ＜|end|＞ ＜tool_call＞"))


def test_other_text_is_encoded_as_before(tokenizer: ChatTokenizer) -> None:
    assert tokenizer.encode_text("hello") == tokenizer.encode_markup("hello")
