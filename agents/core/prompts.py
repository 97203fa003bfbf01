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

A question that is longer than the model's context or than ``MAX_QUESTION_TOKENS`` loses its middle, never its end.
Choices that together are longer than ``MAX_CHOICES_TOKENS`` lose the middle of each. The bounds are far above what an
organiser's filter lets through; they keep one hostile text from taking the time of honest questions.

A manifest records ``RENDERING``; numbers of one rendering say nothing about another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agents.core.errors import EngineError
from agents.core.permutation import Order
from agents.core.schema import LETTERS, Question
from agents.core.thoughts import open_thought
from agents.core.tokenizer import NO_THINKING, TemplateArguments, Tokenizer

RENDERING = 2
OPENING = "Answer:"
MIN_QUESTION_TOKENS = 32
"""What is always left of a question; choices that leave less room make a prompt that the engine refuses."""
MAX_QUESTION_TOKENS = 600
"""Tokens of a question that are read: four times the 145 that the organisers' filter lets through for everything.
On two cores 600 tokens take SmolLM2-135M about two seconds; the 5,000 of a text of 20 kB took up to 24."""
MAX_CHOICES_TOKENS = 300
"""Tokens of all choices together: twice what the filter lets through, since each order of the choices reads them."""
MAX_TEXT_CHARS = 8_192
"""Characters of a question, and of all choices together, that are encoded: to encode takes the event loop's time."""
MAX_BLANKS = 16
"""White space in a row that is read. To the filter 128 blanks are one token, so 18,000 pass it; to a model they are
not, and a member would read hundreds of tokens of nothing."""
_BLANKS = re.compile(rf"\s{{{MAX_BLANKS + 1},}}")
_MARK = "\u241eTEXT\u241e"


@dataclass(frozen=True)
class LetterPrompt:
    """Token ids up to where the label comes, and the one token of each label, by place."""

    token_ids: list[int]
    label_ids: list[int]
    truncated: bool = False


@dataclass(frozen=True)
class ClozePrompt:
    """Token ids up to where a choice's text comes, and the token ids of each choice's text.

    ``texts`` are the choices as they are read. An empty one has no tokens.
    """

    token_ids: list[int]
    continuations: list[list[int]]
    texts: list[str]
    truncated: bool = False


class PromptRenderer:
    """Prompts for one tokenizer, of at most ``max_tokens`` with what is scored after them.

    ``template_arguments`` go to the chat template. Raises EngineError when it cannot carry the prompts.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        max_tokens: int | None = None,
        template_arguments: TemplateArguments = NO_THINKING,
    ) -> None:
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        rendered = tokenizer.render_chat([{"role": "user", "content": _MARK}], template_arguments)
        if rendered.count(_MARK) != 1:
            raise EngineError("the chat template does not hold the user's message exactly once")
        before, after = rendered.split(_MARK)
        if thought := open_thought(rendered, after):
            opening, closing = thought
            raise EngineError(
                f"end the chat template's generation prompt with {closing}, or choose a model that answers without a "
                f"thought: the template ends inside one ({opening!r}), and an answer would be read as part of it"
            )
        self._before = tokenizer.encode_markup(before)
        self._after = tokenizer.encode_markup(after + OPENING)
        self._generation = tokenizer.encode_markup(after)
        self._space, self._labels = label_variant(tokenizer)

    def letter(self, question: Question, order: Order) -> LetterPrompt:
        """The question with its choices in ``order``, lettered by place."""
        text, text_cut = read_text(question.text, MAX_TEXT_CHARS)
        texts, choices_cut = _read_choices(question)
        lines = [(f"\n{LETTERS[place]}) ", texts[choice]) for place, choice in enumerate(order)]
        token_ids, message_cut = self._message(f"Question: {text}", lines, room_for=1)
        return LetterPrompt(token_ids, self._labels[: len(order)], text_cut or choices_cut or message_cut)

    def cloze(self, question: Question) -> ClozePrompt:
        """The question without its choices, and each choice as what might follow."""
        text, cut = read_text(question.text, MAX_TEXT_CHARS)
        return self._cloze(f"Question: {text}", question, cut)

    def unconditional(self, question: Question) -> ClozePrompt:
        """The same with the question left out: how likely each choice's text is whatever was asked."""
        return self._cloze("Question:", question, False)

    def generation(self, text: str, room_for: int = 0) -> list[int]:
        """A plain user message, the assistant's turn open. What leaves no ``room_for`` the reply loses its middle."""
        ids = self._tokenizer.encode_text(text)
        if self._max_tokens is not None:
            room = self._max_tokens - len(self._before) - len(self._generation) - room_for
            ids = without_middle(ids, max(room, MIN_QUESTION_TOKENS))
        return [*self._before, *ids, *self._generation]

    def _cloze(self, text: str, question: Question, text_cut: bool) -> ClozePrompt:
        texts, choices_cut = _read_choices(question)
        whole = [self._tokenizer.encode_text(self._space + choice) if choice else [] for choice in texts]
        continuations = _within(whole, MAX_CHOICES_TOKENS)
        # One token more than the longest: an engine may have to sample one after it.
        token_ids, message_cut = self._message(text, [], room_for=max(map(len, continuations)) + 1)
        cut = text_cut or choices_cut or message_cut or continuations != whole
        return ClozePrompt(token_ids, continuations, texts, cut)

    def _message(self, question: str, lines: Sequence[tuple[str, str]], room_for: int) -> tuple[list[int], bool]:
        """The user's message with the assistant's turn opened, and whether a text in it lost its middle.

        ``lines`` are the choices, each behind its label.
        """
        heading = "\nChoices:" if lines else ""
        choices = heading + "".join(label + choice for label, choice in lines)
        ids = self._tokenizer.encode_text(question + choices)
        room = len(ids)
        if self._max_tokens is not None:
            room = self._max_tokens - len(self._before) - len(self._after) - room_for
        if len(ids) <= min(room, MAX_CHOICES_TOKENS):
            return [*self._before, *ids, *self._after], False
        asked, offered = self._tokenizer.encode_text(question), self._tokenizer.encode_text(choices)
        if len(offered) > MAX_CHOICES_TOKENS:
            texts = _within([self._tokenizer.encode_text(choice) for _, choice in lines], MAX_CHOICES_TOKENS)
            labels = [self._tokenizer.encode_text(label) for label, _ in lines]
            cut = [token for pair in zip(labels, texts, strict=True) for part in pair for token in part]
            offered = [*self._tokenizer.encode_text(heading), *cut]
        elif len(asked) <= MAX_QUESTION_TOKENS and len(ids) <= room:
            return [*self._before, *ids, *self._after], False
        kept = min(max(room - len(offered), MIN_QUESTION_TOKENS), MAX_QUESTION_TOKENS)
        return [*self._before, *without_middle(asked, kept), *offered, *self._after], True


def read_text(text: str, limit: int) -> tuple[str, bool]:
    """``text`` as a member reads it, and whether its middle was left out.

    Of more than ``MAX_BLANKS`` blanks in a row one is left. At most ``limit`` characters are.
    """
    text = _BLANKS.sub(lambda blanks: "\n" if "\n" in blanks[0] else " ", text) if len(text) > MAX_BLANKS else text
    if len(text) <= limit:
        return text, False
    return text[: limit // 2] + text[len(text) - (limit - limit // 2) :], True


def without_middle(ids: Sequence[int], limit: int) -> list[int]:
    """The first and the last of ``ids``, at most ``limit`` of them."""
    if len(ids) <= limit:
        return list(ids)
    return [*ids[: limit // 2], *ids[len(ids) - (limit - limit // 2) :]]


def _read_choices(question: Question) -> tuple[list[str], bool]:
    """The choices as a member reads them, and whether one lost its middle."""
    read = [read_text(choice, MAX_TEXT_CHARS // len(question.choices)) for choice in question.choices]
    return [text for text, _ in read], any(cut for _, cut in read)


def _within(rows: Sequence[list[int]], limit: int) -> list[list[int]]:
    """``rows`` as they are when they have at most ``limit`` ids together, otherwise each without its middle."""
    if sum(map(len, rows)) <= limit:
        return list(rows)
    return [without_middle(row, limit // len(rows)) for row in rows]


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
