"""The tokenizer every real engine shares: a Hugging Face tokenizer, and beside it one that knows no control tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.core.errors import DamagedModelError
from agents.support.missing_package import missing_package


class ChatTokenizer:
    """Implements ``protocol.Tokenizer`` over the tokenizer files of a checkpoint.

    Text and markup are encoded by two tokenizers. ``split_special_tokens`` would not do: it still turns added tokens
    that are not marked special (Qwen's ``<tool_call>``) into control tokens, and it is a switch on a shared object. The
    text encoder is a copy with every added token taken out, so no spelling of one can reach it.
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
        self._text = Tokenizer.from_str(json.dumps({**backend, "added_tokens": [], "post_processor": None}))

    def encode_text(self, text: str) -> list[int]:
        return list(self._text.encode(text, add_special_tokens=False).ids)

    def encode_markup(self, text: str) -> list[int]:
        return list(self.hf.encode(text, add_special_tokens=False))

    def decode(self, token_ids: Sequence[int]) -> str:
        return str(self.hf.decode(list(token_ids), skip_special_tokens=True))

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        return str(self.hf.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True))
