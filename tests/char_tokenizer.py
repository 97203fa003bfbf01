"""A tokenizer for fakes, in every suite."""

from __future__ import annotations

from collections.abc import Sequence

from agents.core.tokenizer import NO_THINKING, TemplateArguments


class CharTokenizer:
    """A token a character, so that a label is one token."""

    def encode_text(self, text: str) -> list[int]:
        return [ord(character) for character in text]

    def encode_markup(self, text: str) -> list[int]:
        return self.encode_text(text)

    def decode(self, token_ids: Sequence[int]) -> str:
        return "".join(map(chr, token_ids))

    def render_chat(self, messages: Sequence[dict[str, str]], arguments: TemplateArguments = NO_THINKING) -> str:
        return f"<user>{messages[0]['content']}\n<assistant>"
