"""The one rendering of a question, for training, validation and serving alike.

Why it looks as it does. Every prompt is the model's own chat template with one user message. Text that is not ours (the
question, the choices) is encoded as plain text and spliced between the template's tokens, so a control token written in
it stays text. The question comes first and the choices after it, so that all prompts of a question share the longest
prefix. The assistant's turn is opened with ``Answer:``; what is scored follows it as `` text`` or `` A``, with the
space, as it would stand in running text: on 600 questions of six sources untrained SmolLM2-135M answered 35% that way
and 32% without the opening (cloze_pmi). A template that would strip or need no space is met by ``label_variant``.
There is no instruction: with the opening, one after the choices or before the question changed no accuracy (letters,
Qwen2.5-Coder-1.5B: 61% of 210 without, 59% and 58% with; 0.5B: 27% of 360 without, 28% and 29% with) and costs a tenth
of the tokens.

A question that is longer than the model's context loses its middle, never its end or its choices.

A manifest records ``RENDERING``; numbers of one rendering say nothing about another.
"""

from __future__ import annotations

from dataclasses import dataclass

from agents.core.errors import EngineError
from agents.core.permutation import Order
from agents.core.schema import LETTERS, Question
from agents.core.tokenizer import Tokenizer

RENDERING = 2
OPENING = "Answer:"
MIN_QUESTION_TOKENS = 32
"""What is always left of a question; choices that leave less room make a prompt that the engine refuses."""
_MARK = "\u241eTEXT\u241e"


@dataclass(frozen=True)
class LetterPrompt:
    """Token ids up to where the label comes, and the one token of each label, by place."""

    token_ids: list[int]
    label_ids: list[int]
    truncated: bool = False


@dataclass(frozen=True)
class ClozePrompt:
    """Token ids up to where a choice's text comes, and the token ids of each choice's text."""

    token_ids: list[int]
    continuations: list[list[int]]
    truncated: bool = False


class PromptRenderer:
    """Prompts for one tokenizer, of at most ``max_tokens`` with what is scored after them.

    Raises EngineError when the chat template cannot carry them.
    """

    def __init__(self, tokenizer: Tokenizer, max_tokens: int | None = None) -> None:
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        rendered = tokenizer.render_chat([{"role": "user", "content": _MARK}])
        if rendered.count(_MARK) != 1:
            raise EngineError("the chat template does not hold the user's message exactly once")
        before, after = rendered.split(_MARK)
        self._before = tokenizer.encode_markup(before)
        self._after = tokenizer.encode_markup(after + OPENING)
        self._generation = tokenizer.encode_markup(after)
        self._space, self._labels = label_variant(tokenizer)

    def letter(self, question: Question, order: Order) -> LetterPrompt:
        """The question with its choices in ``order``, lettered by place."""
        lines = [f"{LETTERS[place]}) {question.choices[choice]}" for place, choice in enumerate(order)]
        choices = "\n".join(["", "Choices:", *lines])
        token_ids, truncated = self._message(f"Question: {question.text}", choices, room_for=1)
        return LetterPrompt(token_ids, self._labels[: len(order)], truncated)

    def cloze(self, question: Question) -> ClozePrompt:
        """The question without its choices, and each choice as what might follow."""
        return self._cloze(f"Question: {question.text}", question)

    def unconditional(self, question: Question) -> ClozePrompt:
        """The same with the question left out: how likely each choice's text is whatever was asked."""
        return self._cloze("Question:", question)

    def generation(self, text: str) -> list[int]:
        """A plain user message, the assistant's turn open."""
        return [*self._before, *self._tokenizer.encode_text(text), *self._generation]

    def _cloze(self, text: str, question: Question) -> ClozePrompt:
        continuations = [self._tokenizer.encode_text(self._space + choice) for choice in question.choices]
        # One token more than the longest: an engine may have to sample one after it.
        token_ids, truncated = self._message(text, "", room_for=max(map(len, continuations)) + 1)
        return ClozePrompt(token_ids, continuations, truncated)

    def _message(self, question: str, choices: str, room_for: int) -> tuple[list[int], bool]:
        """The user's message with the assistant's turn opened, and whether the question lost its middle."""
        ids = self._tokenizer.encode_text(question + choices)
        excess = 0
        if self._max_tokens is not None:
            excess = len(self._before) + len(ids) + len(self._after) + room_for - self._max_tokens
        if excess > 0:
            ids = self._without_middle(question, choices, len(ids) - excess)
        return [*self._before, *ids, *self._after], excess > 0

    def _without_middle(self, question: str, choices: str, room: int) -> list[int]:
        asked, offered = self._tokenizer.encode_text(question), self._tokenizer.encode_text(choices)
        kept = max(room - len(offered), MIN_QUESTION_TOKENS)
        return [*asked[: kept // 2], *asked[len(asked) - (kept - kept // 2) :], *offered]


def label_variant(tokenizer: Tokenizer) -> tuple[str, list[int]]:
    """How a label follows ``OPENING``: the separator (a space or nothing), and the one token of each letter.

    With the space where the tokenizer has `` A`` as one token that joins on to the opening unchanged, otherwise without
    it. Raises EngineError when a letter is one token in neither form: its probability could not be read off.
    """
    opening = tokenizer.encode_text(OPENING)
    for space in (" ", ""):
        label_ids = []
        for letter in LETTERS:
            joined = tokenizer.encode_text(OPENING + space + letter)
            if joined[:-1] != opening:
                break
            label_ids.append(joined[-1])
        if len(set(label_ids)) == len(LETTERS):
            return space, label_ids
    raise EngineError(f"the tokenizer has no single token for each of the labels {', '.join(LETTERS)}")
