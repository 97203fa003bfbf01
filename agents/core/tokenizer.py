"""The tokenizer that prompts need, as a protocol: rendering knows no library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

TemplateArguments = Mapping[str, bool | int | float | str]
"""Variables that a chat template may read. A template ignores those that it does not know."""
NO_THINKING: TemplateArguments = {"enable_thinking": False}
"""The default. Qwen3 thinks unless told not to; its letters on MMLU are right 57% of the time without and 23% with."""


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

    def render_chat(self, messages: Sequence[dict[str, str]], arguments: TemplateArguments = NO_THINKING) -> str:
        """The model's chat template over messages, up to where the assistant's turn starts.

        The same text every day: a template that asks for the date gets a fixed one.
        """
        ...
