"""What prompts need of a tokenizer, so that rendering them knows no library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Tokenizer(Protocol):
    """The tokenizer of an engine's model."""

    def encode_text(self, text: str) -> list[int]:
        """Ids of plain text: a control token written in it (``<|im_end|>``) is spelled out, never the control token."""
        ...

    def encode_markup(self, text: str) -> list[int]:
        """Ids of text we wrote ourselves: control tokens in it are control tokens."""
        ...

    def decode(self, token_ids: Sequence[int]) -> str:
        """Text of ids, control tokens left out."""
        ...

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        """The model's chat template over messages, up to where the assistant's turn starts."""
        ...
