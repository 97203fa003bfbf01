"""Thoughts in a chat template's generation prompt: one that is left open would hold the answer."""

from __future__ import annotations

import re

_TAGS = re.compile(r"<((?:seed:)?(?:think|thinking|thoughts?|reason|reasoning))>", re.IGNORECASE)
"""Tags that open a thought and are closed with a slash, as Qwen3's and DeepSeek-R1's."""
_PAIRS = {
    "[THINK]": "[/THINK]",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "◁think▷": "◁/think▷",
    "<|channel>": "<channel|>",
    "<unused94>": "<unused95>",
}
"""Other openings and what closes each: Magistral, Command A, OpenThinker, Kimi, Gemma 4, MedGemma."""
_START, _CHANNEL, _MESSAGE, _FINAL = "<|start|>", "<|channel|>", "<|message|>", "<|channel|>final<|message|>"
"""gpt-oss names a channel in each message's head, and thinks in every channel but the final one."""


def open_thought(rendered: str, turn: str) -> tuple[str, str] | None:
    """Return what opens a thought that the assistant's turn does not close, and what closes it; None without one.

    ``turn`` is the part of the ``rendered`` chat after the user's message.
    """
    if _MESSAGE in rendered and _START in turn:
        head, found, content = turn[turn.rindex(_START) :].partition(_MESSAGE)
        if not found:
            return head, (_FINAL if _CHANNEL not in head else f"{_MESSAGE}<|end|>{_START}assistant{_FINAL}")
        if f"{head}{found}".endswith(_FINAL):
            return None
        if _CHANNEL in head and "<|end|>" not in content:
            return head + found, f"<|end|>{_START}assistant{_FINAL}"
    pairs = {**_PAIRS, **{tag[0]: f"</{tag[1]}>" for tag in _TAGS.finditer(turn)}}
    for opening, closing in pairs.items():
        if turn.rfind(opening) > turn.rfind(closing):
            return opening, closing
    return None
