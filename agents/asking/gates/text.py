"""The gates that read a question's text: the organisers' format, English and content, length."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from agents.asking.proposal import Gate, Proposal, RejectedError
from agents.core.edition import Edition
from agents.core.rules import CountTokens, filter_questions
from agents.core.schema import Question

MIN_QUESTION_CHARS, MAX_QUESTION_CHARS = 20, 1_000
MAX_CHOICE_CHARS = 150
MIN_EXPLANATION_WORDS = 3

_SYMBOLS = frozenset("\n’‘“”–—…−×÷±·°²³√½¼¾≤≥≠π→′″")
"""What may stand in a question besides printable ASCII."""
_COMMON = re.compile(
    r"\b(?:a|an|and|are|as|at|be|by|each|find|for|from|has|have|how|if|in|is|it|next|of|on|one|or|says|series|should|"
    r"sits|that|the|these|they|this|to|what|when|where|which|who|with)\b",
    re.IGNORECASE,
)
"""English has some of these in every sentence."""
MIN_COMMON_WORDS = 2

_INSTRUCTION = re.compile(
    r"\b(ignore|disregard|forget|override)\b.{0,40}\b(instruction|prompt|rule|above|previous|prior|everything)"
    r"|\b(system|developer) (prompt|message)\b|\bas an ai\b|\blanguage models?\b|\bjailbreak"
    r"|\byou are (now )?(an? )?(ai|assistant|chatbot|llm)\b|\bpretend (to be|that you)|\brole-?play"
    r"|\b(always|must|should|please|only) (answer|choose|pick|select|respond|reply|output)( with| only)*"
    r" (option|choice|the letter|[\"'(]?[b-d]\b)"
    r"|<\|.*?\|>|\[/?(inst|sys)|</?(s|think|system)>|```|\bhttps?://",
    re.IGNORECASE | re.DOTALL,
)
"""Text that talks to whoever answers, not about the question."""
_GIVEN_AWAY = re.compile(
    r"\b(correct|right) (answer|option|choice) (is|:)|\banswer key\b|\"answer\"|\bthe answer is\b", re.IGNORECASE
)
_TRAP = re.compile(
    r"\b(all|none|any|both|neither|either|some) of (the )?(above|below|these|those|them|options?|choices?|others?)\b"
    r"|\b(all|none|both) the above\b|\b(option|choice|answer)s? \(?[a-d]\)?\b|\bcannot be determined\b"
    r"|\bnot enough information\b|^(all|none|both|other|unknown|n/?a)$",
    re.IGNORECASE,
)
_BANNED_KINDS = {
    "how many arrangements": r"\b(how many|in how many|(total )?number of|what is the count of)\b[^.?]*"
    r"\b(arrangements?|ways|permutations?|combinations?|orderings?|seatings?)\b",
}
"""A pattern for each kind of question that an edition's notices ban; another kind is looked for as it is written."""


class FormatGate:
    """The organisers' own filter, as their code behaves, on the row as it would be sent."""

    name = "format"

    def __init__(self, edition: Edition, count_tokens: CountTokens) -> None:
        self._edition, self._count = edition, count_tokens

    async def check(self, proposal: Proposal) -> Proposal:
        row = proposal.question.canonical(proposal.explanation)
        if not filter_questions([row], self._count, self._edition):
            raise RejectedError("the organisers' filter")
        return proposal


class EnglishGate:
    """Plain English that asks for one of four different things, and nothing that talks to its reader."""

    name = "English and content"

    def __init__(self, edition: Edition) -> None:
        self._banned = [_BANNED_KINDS.get(kind, re.escape(kind)) for kind in edition.banned_question_kinds]

    async def check(self, proposal: Proposal) -> Proposal:
        question = proposal.question
        texts = (question.text, *question.choices, proposal.explanation)
        if any(not (" " <= c <= "~" or c in _SYMBOLS) for text in texts for c in text):
            raise RejectedError("not plain English characters")
        if len(_COMMON.findall(question.text)) < MIN_COMMON_WORDS:
            raise RejectedError("not English")
        if any(_INSTRUCTION.search(text) for text in texts):
            raise RejectedError("instructions to the reader")
        if any(_GIVEN_AWAY.search(text) for text in (question.text, *question.choices)):
            raise RejectedError("answer given away")
        if any(re.search(pattern, question.text, re.IGNORECASE) for pattern in self._banned):
            raise RejectedError("a banned kind of question")
        plain = [plain_choice(choice) for choice in question.choices]
        if len(set(plain)) < len(plain) or not all(plain):
            raise RejectedError("choices alike")
        if proposal.proof is None:
            _check_unproved(question, plain)
        return proposal


def _check_unproved(question: Question, plain: Sequence[str]) -> None:
    """What only a proof excuses: of a puzzle, "none of them" may be the proved key, and the key a word of a clue."""
    if any(_TRAP.search(choice.strip(" .")) for choice in question.choices):
        raise RejectedError("a choice about the choices")
    text = " ".join(question.text.casefold().split())
    named = [re.search(rf"(?<!\w){re.escape(choice)}(?!\w)", text) is not None for choice in plain]
    if question.key is not None and named[question.key] and sum(named) == 1:
        raise RejectedError("only the key is named in the question")


def plain_choice(choice: str) -> str:
    """A choice without what makes no difference to a reader: case, spaces, an article, a full stop, zeros behind."""
    text = " ".join(unicodedata.normalize("NFKC", choice).casefold().split()).strip(" .,;:!\"'")
    text = re.sub(r"^(the|an?) (?=\w{2})", "", text)
    return re.sub(r"(?<=\d),(?=\d{3})|(?<=\d)\.0+$", "", text)


class LengthGate:
    """Neither a fragment nor a novel: characters, words of the explanation, and the tokens that notices advertise.

    Where an edition advertises a lower limit than its code checks, questions keep that one too, counted the same way.
    """

    name = "length"

    def __init__(self, edition: Edition, count_tokens: CountTokens) -> None:
        self._edition, self._count = edition, count_tokens
        advertised = int(edition.question_tokens_advertised or edition.question_tokens)
        self._tokens = min(advertised, edition.question_tokens) + edition.question_tokens_allowance

    async def check(self, proposal: Proposal) -> Proposal:
        question = proposal.question
        if not MIN_QUESTION_CHARS <= len(question.text) <= MAX_QUESTION_CHARS:
            raise RejectedError("question too short or too long")
        if max(map(len, question.choices)) > MAX_CHOICE_CHARS:
            raise RejectedError("choice too long")
        if not MIN_EXPLANATION_WORDS <= len(proposal.explanation.split()) <= self._edition.explanation_words:
            raise RejectedError("explanation too short or too long")
        row = question.canonical()
        if sum(map(self._count, (row["question"], row["answer"], *row["choices"]))) >= self._tokens:
            raise RejectedError("more tokens than advertised")
        return proposal


def text_gates(edition: Edition, count_tokens: CountTokens) -> list[Gate]:
    """The gates of this file, in their order."""
    return [FormatGate(edition, count_tokens), EnglishGate(edition), LengthGate(edition, count_tokens)]
