"""The tokenizer every real engine shares: a Hugging Face tokenizer, and beside it one that knows no control tokens."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from agents.core.errors import DamagedModelError, first_line
from agents.core.tokenizer import NO_THINKING, TemplateArguments
from agents.support.missing_package import missing_package

TODAY = date(2024, 7, 26)
"""The date every chat template is told, so that prompts are the same each day.

Llama 3's templates write this one themselves where no date is given.
"""


class ChatTokenizer:
    """Implements ``protocol.Tokenizer`` over the tokenizer files of a checkpoint.

    Text and markup are encoded by two tokenizers. ``split_special_tokens`` would not do: it still turns added tokens
    that are not marked special (Qwen's ``<tool_call>``) into control tokens, and it is a switch on a shared object. The
    text encoder is a copy with every added token taken out, and with the control tokens renamed in its vocabulary to
    what no text can spell, so no spelling of one can reach it. The unknown token stays: it stands for unknown text.
    """

    def __init__(self, checkpoint: Path) -> None:
        try:
            from tokenizers import Tokenizer
            from transformers import AutoTokenizer
        except ImportError as error:
            raise missing_package(error.name) from None
        try:
            self.hf: Any = AutoTokenizer.from_pretrained(checkpoint, trust_remote_code=False, local_files_only=True)
            backend = json.loads(self.hf.backend_tokenizer.to_str())
        except (OSError, ValueError, AttributeError) as error:
            raise DamagedModelError(
                str(checkpoint), f"a tokenizer that does not load ({error})", "tokenizer.json of a fast tokenizer"
            ) from None
        if not self.hf.chat_template:
            raise DamagedModelError(str(checkpoint), "no chat template", "an instruction-tuned model with one")
        self._checkpoint = checkpoint
        # A template is a program; one that fails at all fails here, before anything is computed.
        self.render_chat([{"role": "user", "content": "Hello"}])
        controls = control_tokens(backend, self.hf.all_special_tokens, str(self.hf.chat_template))
        model = without_tokens(backend["model"], controls)
        self._text = Tokenizer.from_str(
            json.dumps({**backend, "added_tokens": [], "post_processor": None, "model": model})
        )
        self._check_spaces(checkpoint)

    def _check_spaces(self, checkpoint: Path) -> None:
        """Raise DamagedModelError for a tokenizer that loses the space between words, or adds one to each text.

        The class that tokenizer_config.json names may replace how tokenizer.json splits text, without an error.
        """
        for encode in (self.encode_text, self.encode_markup):
            if (found := self.decode(encode("hello world")).strip()) != "hello world":
                raise DamagedModelError(
                    str(checkpoint),
                    f"a tokenizer that reads 'hello world' back as {found!r}",
                    'one that keeps text as it is (set "tokenizer_class": "PreTrainedTokenizerFast" in '
                    "tokenizer_config.json, so that tokenizer.json is read unchanged)",
                )
        apart = [*self.encode_text("hello"), *self.encode_text(" world")]
        if apart != self.encode_text("hello world"):
            raise DamagedModelError(
                str(checkpoint),
                f"a tokenizer that reads ' world' as {self.hf.convert_ids_to_tokens(self.encode_text(' world'))}, "
                "other tokens than within 'hello world'",
                'one without a stray token before each text (set "tokenizer_class": "LlamaTokenizer" in '
                "tokenizer_config.json for a SentencePiece model)",
            )

    def encode_text(self, text: str) -> list[int]:
        return list(self._text.encode(text, add_special_tokens=False).ids)

    def encode_markup(self, text: str) -> list[int]:
        return list(self.hf.encode(text, add_special_tokens=False))

    def decode(self, token_ids: Sequence[int]) -> str:
        return str(self.hf.decode(list(token_ids), skip_special_tokens=True))

    def render_chat(self, messages: Sequence[dict[str, str]], arguments: TemplateArguments = NO_THINKING) -> str:
        """Raises DamagedModelError for a template that fails on these messages."""
        # A variable of this name hides transformers' own function, which reads the clock.
        variables = {**arguments, "strftime_now": TODAY.strftime}
        try:
            return str(
                self.hf.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True, **variables)
            )
        except Exception as error:
            # Whatever a template calls may fail: Jinja's errors, and Python's own (a type, an overflow, a recursion).
            found = f"a chat template that fails ({type(error).__name__}: {first_line(error)})"
            raise DamagedModelError(str(self._checkpoint), found, "one that renders a user's message") from None


def control_tokens(backend: Mapping[str, Any], special: Iterable[str], template: str) -> set[str]:
    """The tokens that steer a model: the special ones, and added ones that the chat template writes.

    Other added tokens, such as a tokenizer's runs of blanks, are ordinary text.
    """
    found = {str(token) for token in special}
    for token in backend.get("added_tokens") or []:
        content = token["content"]
        if token.get("special") or (content.strip() and not content.isalnum() and content in template):
            found.add(content)
    return found


def without_tokens(model: Mapping[str, Any], tokens: Collection[str]) -> dict[str, Any]:
    """A tokenizer's model in which no text gives one of ``tokens``, but for the unknown token. Ids stay as they are.

    Vocabularies of WordLevel, WordPiece and BPE map a text to its id; that of Unigram is a list of pairs.
    """
    vocabulary = model["vocab"]
    unknown = model.get("unk_token")
    renamed = {token: f"{secrets.token_hex(16)}{number}" for number, token in enumerate(tokens) if token != unknown}
    if isinstance(vocabulary, list):
        unknown_id = model.get("unk_id")
        pieces = [
            [piece if place == unknown_id else renamed.get(piece, piece), score]
            for place, (piece, score) in enumerate(vocabulary)
        ]
        return {**model, "vocab": pieces}
    changed = {**model, "vocab": {renamed.get(text, text): number for text, number in vocabulary.items()}}
    if merges := model.get("merges"):
        prefix = model.get("continuing_subword_prefix") or ""
        pairs = [merge.split(" ", 1) if isinstance(merge, str) else merge for merge in merges]
        changed["merges"] = [
            merge
            for merge, (left, right) in zip(merges, pairs, strict=True)
            if not renamed.keys() & {left, right, left + right.removeprefix(prefix)}
        ]
    return changed
