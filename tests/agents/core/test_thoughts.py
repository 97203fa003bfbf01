"""A thought that the assistant's turn opens and does not close is found, with what closes it."""

from __future__ import annotations

import pytest

from agents.core.thoughts import open_thought

HARMONY = "<|start|>user<|message|>Which?<|end|>"
FINAL = "<|channel|>final<|message|>"


@pytest.mark.parametrize(
    ("turn", "opening", "closing"),
    [
        ("<|Assistant|><think>\n", "<think>", "</think>"),
        ("<thinking>", "<thinking>", "</thinking>"),
        ("<seed:think>", "<seed:think>", "</seed:think>"),
        ("<think>a</think>b<think>", "<think>", "</think>"),
        ("[/INST][THINK]", "[THINK]", "[/THINK]"),
        ("<|START_THINKING|>", "<|START_THINKING|>", "<|END_THINKING|>"),
        ("<|turn>model\n<|channel>thought\n", "<|channel>", "<channel|>"),
        ("◁think▷", "◁think▷", "◁/think▷"),
    ],
)
def test_an_open_thought_is_found(turn: str, opening: str, closing: str) -> None:
    assert open_thought("system: <think> " + turn, turn) == (opening, closing)
    assert open_thought(turn + closing, turn + closing) is None


@pytest.mark.parametrize(
    ("turn", "closing"),
    [
        ("<|start|>assistant", FINAL),
        ("<|start|>assistant<|channel|>analysis", f"<|message|><|end|><|start|>assistant{FINAL}"),
        ("<|start|>assistant<|channel|>analysis<|message|>", f"<|end|><|start|>assistant{FINAL}"),
        ("<|start|>assistant<|channel|>analysis<|message|>So", f"<|end|><|start|>assistant{FINAL}"),
    ],
)
def test_a_message_that_is_not_in_the_final_channel_is_a_thought(turn: str, closing: str) -> None:
    found = open_thought(HARMONY + turn, turn)
    assert found == (turn.removesuffix("So"), closing)
    assert open_thought(HARMONY + turn + closing, turn + closing) is None


@pytest.mark.parametrize(
    "turn", ["<|im_start|>assistant\n", "<|start|>assistant\n", "", "<b>", "<think>\n\n</think>\n"]
)
def test_other_turns_are_none(turn: str) -> None:
    assert open_thought("You write <think> first." + turn, turn) is None
