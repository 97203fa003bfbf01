"""Questions and answers: every shape seen in the field in, one canonical form out.

Shapes read (rules.md lists where each was seen): choices as a list with ``A) `` prefixes, with doubled prefixes, bare,
or as an object by letter; the key under one of ``KEY_FIELDS`` as a letter, a lower-case letter, ``B) text``, the
choice's text, or an index; one object, a list, ``{"questions": […]}``, an object of lists by topic, or JSON text of any
of these. Whatever else a row carries, an explanation above all, is left behind: it may leak the key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from agents.core.errors import QuestionError, describe

LETTERS = "ABCDEFGHIJ"
MIN_CHOICES, MAX_CHOICES = 2, len(LETTERS)
MAX_QUESTION_CHARS = 20_000
MAX_CHOICE_CHARS = 4_000
"""Bounds on texts that we ask or train on. Longer ones are answered: prompts read them without their middle."""
MAX_LABELS = 8
"""Labels in front of a choice that come off. Teams write two; a text of nothing but labels must not cost a square."""
MAX_JSON_DEPTH = 8
"""Nesting of JSON-in-JSON and topic objects that is followed before a payload is refused."""

DISTINCT_CHOICES = "distinct choices"
CHOICE_FIELDS = ("choices", "options")
KEY_FIELDS = ("answer", "expected_answer", "correct_answer", "expected_answer_letter", "answer_index")

_SURROGATE = re.compile("[\ud800-\udfff]")
_LABEL = re.compile(r"\(?([A-Ja-j])[).:](?:\s+|$)")
_PARENTHESIS_LABEL = re.compile(r"\(?([A-J])\)\s*")


@dataclass(frozen=True)
class Question:
    """One multiple-choice question. ``choices`` are bare texts; ``key`` counts from 0, or is None when not given."""

    text: str
    choices: tuple[str, ...]
    topic: str = ""
    key: int | None = None

    @property
    def places(self) -> list[int]:
        """For each choice, the place of its text among the distinct ones: 0, 1, 0 for "Ravi", "Mina", "Ravi"."""
        known: dict[str, int] = {}
        return [known.setdefault(choice, len(known)) for choice in self.choices]

    def distinct(self) -> Question:
        """The same question with every choice once; itself when none repeats."""
        choices = tuple(dict.fromkeys(self.choices))
        if len(choices) == len(self.choices):
            return self
        return replace(self, choices=choices, key=None if self.key is None else self.places[self.key])

    @property
    def key_letter(self) -> str | None:
        return None if self.key is None else LETTERS[self.key]

    def permuted(self, order: Sequence[int]) -> Question:
        """The same question with choice ``order[i]`` at place ``i``; the key follows its choice."""
        key = None if self.key is None else list(order).index(self.key)
        return replace(self, choices=tuple(self.choices[i] for i in order), key=key)

    def canonical(self, explanation: str = "") -> dict[str, Any]:
        """The organisers' question format. Raises QuestionError without a key: such a question is not complete."""
        if self.key_letter is None:
            raise QuestionError("answer", "no key", f"one of {', '.join(LETTERS[: len(self.choices)])}")
        return {
            "topic": self.topic,
            "question": self.text,
            "choices": [f"{LETTERS[i]}) {choice}" for i, choice in enumerate(self.choices)],
            "answer": self.key_letter,
            "explanation": explanation,
        }


@dataclass(frozen=True)
class Answer:
    """What an A-Agent emits. ``letter`` is exactly one upper-case letter: the organisers score it case-sensitively."""

    letter: str
    reasoning: str = ""

    def __post_init__(self) -> None:
        if len(self.letter) != 1 or self.letter not in LETTERS:
            raise QuestionError("answer", describe(self.letter), "one upper-case letter from A to J")

    def canonical(self) -> dict[str, str]:
        return {"answer": self.letter, "reasoning": self.reasoning}


class ReadQuestion(Protocol):
    """``read_question`` or a stricter reader."""

    def __call__(self, raw: Any, *, topic: str) -> Question: ...


@dataclass(frozen=True)
class BrokenRow:
    """A row of a file or batch that is not a question, and the sentence that says why."""

    reason: str


def read_question(raw: Any, *, topic: str = "") -> Question:
    """One question from any shape in the field. ``topic`` is used when the row has none of its own.

    Whatever can be answered is read: choices may repeat, and texts may be empty or long. ``read_sound_question`` is
    stricter.
    Raises QuestionError for the rest: it names the field, what was found and what is expected.
    """
    return _read(raw, topic, sound=False)


def read_sound_question(raw: Any, *, topic: str = "") -> Question:
    """A question fit to be asked or trained on. Raises QuestionError as ``read_question`` does, and for more.

    Refused are also empty and overlong texts, and choices that repeat: the organisers' filter lets them through, so
    they are answered, but they are neither asked nor trained on.
    """
    return _read(raw, topic, sound=True)


def _read(raw: Any, topic: str, *, sound: bool) -> Question:
    for _ in range(2):  # a list of one JSON text is seen; nothing deeper is
        if isinstance(raw, str):
            raw = _parse_json(raw, field="question row")
        if isinstance(raw, list) and len(raw) == 1:
            raw = raw[0]
    if not isinstance(raw, Mapping):
        raise QuestionError("question row", describe(raw), "an object with question and choices")
    text = _text(raw.get("question"), "question")
    if sound:
        _check_text(text, "question", MAX_QUESTION_CHARS)
    choices = _read_choices(raw, sound)
    own_topic = raw.get("topic")
    return Question(
        text=text,
        choices=choices,
        topic=own_topic if isinstance(own_topic, str) and not _SURROGATE.search(own_topic) else topic,
        key=_read_key(raw, choices),
    )


def _check_text(text: str, field: str, limit: int) -> None:
    if not text:
        raise QuestionError(field, describe(text), "a non-empty string")
    if len(text) > limit:
        raise QuestionError(field, f"{len(text):,} characters", f"at most {limit:,}")


def read_questions(payload: Any, read: ReadQuestion = read_question) -> list[Question | BrokenRow]:
    """Every row of a payload, in its order; a row that ``read`` refuses becomes a BrokenRow, the others are kept.

    Raises QuestionError when the payload itself is not a container of rows.
    """
    return [_read_row(raw, topic, read) for raw, topic in _rows(payload, topic="", depth=0)]


def _read_row(raw: Any, topic: str, read: ReadQuestion) -> Question | BrokenRow:
    try:
        return read(raw, topic=topic)
    except QuestionError as error:
        return BrokenRow(str(error))


def _rows(payload: Any, topic: str, depth: int) -> Iterator[tuple[Any, str]]:
    if depth > MAX_JSON_DEPTH:
        raise QuestionError("questions", f"more than {MAX_JSON_DEPTH} nested containers", "a list of questions")
    if isinstance(payload, str):
        yield from _rows(_parse_json(payload, field="questions"), topic, depth + 1)
    elif isinstance(payload, Mapping):
        if "questions" in payload and "question" not in payload:
            yield from _rows(payload["questions"], topic, depth + 1)
        elif payload and "question" not in payload and all(isinstance(value, list) for value in payload.values()):
            for key, value in payload.items():
                yield from _rows(value, str(key), depth + 1)
        else:
            yield payload, topic
    elif isinstance(payload, list):
        for row in payload:
            yield row, topic
    else:
        raise QuestionError("questions", describe(payload), "an object, a list, or an object with questions")


def _parse_json(text: str, *, field: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise QuestionError(field, f"text that is not JSON: {describe(text)}", "a JSON object") from None


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise QuestionError(field, "no such field" if value is None else describe(value), "a non-empty string")
    if surrogate := _SURROGATE.search(value):
        raise QuestionError(field, f"a lone surrogate at character {surrogate.start()}", "valid Unicode text")
    return value.strip()


def _read_choices(raw: Mapping[str, Any], sound: bool) -> tuple[str, ...]:
    field = next((name for name in CHOICE_FIELDS if name in raw), CHOICE_FIELDS[0])
    value = raw.get(field)
    counts = f"{MIN_CHOICES} to {MAX_CHOICES} choices"
    if not isinstance(value, (list, Mapping)):
        found = "no such field" if value is None else describe(value)
        raise QuestionError(field, found, f"a list of {counts}, or an object of them by letter")
    if not MIN_CHOICES <= len(value) <= MAX_CHOICES:
        raise QuestionError(field, f"{len(value)} choices", counts)
    if isinstance(value, Mapping):
        labels = [str(label).strip().upper() for label in value]
        if sorted(labels) != list(LETTERS[: len(labels)]):
            raise QuestionError(field, f"the keys {describe(', '.join(labels))}", "the letters A, B, C, … once each")
        value = [text for _, text in sorted(zip(labels, value.values(), strict=True), key=lambda pair: pair[0])]
    choices = strip_labels([_text(choice, f"{field}[{i}]") for i, choice in enumerate(value)])
    if sound:
        _check_choices(choices, field)
    return tuple(choices)


def _check_choices(choices: Sequence[str], field: str) -> None:
    for i, choice in enumerate(choices):
        _check_text(choice, f"{field}[{i}]", MAX_CHOICE_CHARS)
        first = choices.index(choice)
        if first < i:
            found = f"{describe(choice)} again, as in {field}[{first}]"
            raise QuestionError(f"{field}[{i}]", found, DISTINCT_CHOICES)


def strip_labels(choices: Sequence[str]) -> list[str]:
    """Choices without the letters in front of them, doubled or not, in the order of those letters.

    ``["A) x", "B) y"]``, ``["A. x", "B. y"]`` and ``["A) A) x", "B) B) y"]`` all give ``["x", "y"]``. A letter is only
    taken for a label when every choice carries its own, or when it is written ``X)`` and is the letter of that place:
    so ``["A. Einstein", "Newton"]`` stays as it is, and of ``A) A`` the text ``A`` is left.

    At most ``MAX_LABELS`` come off a choice.
    """
    stripped = [choice.strip() for choice in choices]
    for _ in range(MAX_LABELS):
        before, stripped = stripped, _strip_once(stripped)
        if stripped == before:
            break
    return stripped


def _strip_once(choices: list[str]) -> list[str]:
    letters = LETTERS[: len(choices)]
    matches = [_LABEL.match(choice) for choice in choices]
    labels = "".join(match.group(1).upper() if match else "?" for match in matches)
    rests = [choice[match.end() :].strip() if match else "" for choice, match in zip(choices, matches, strict=True)]
    if sorted(labels) == list(letters) and all(rests):
        return [rests[labels.index(letter)] for letter in letters]
    return [_strip_own_label(choice, letter) for choice, letter in zip(choices, letters, strict=True)]


def _strip_own_label(choice: str, letter: str) -> str:
    match = _PARENTHESIS_LABEL.match(choice)
    if match is None or match.group(1) != letter:
        return choice
    return choice[match.end() :] or choice


def _read_key(raw: Mapping[str, Any], choices: Sequence[str]) -> int | None:
    """The key as an index, or None: an A-Agent answers without one, so a key that makes no sense is no error here."""
    for field in KEY_FIELDS:
        value = raw.get(field)
        if isinstance(value, bool) or value is None:
            continue
        if isinstance(value, int):
            return value if 0 <= value < len(choices) else None
        if isinstance(value, str) and (index := key_index(value, choices)) is not None:
            return index
    return None


def key_index(value: str, choices: Sequence[str]) -> int | None:
    """The choice a written key means: a letter, a letter with the text after it, or the text itself."""
    written = value.strip()
    letters = LETTERS[: len(choices)]
    if len(written) == 1 and written.upper() in letters:
        return letters.index(written.upper())
    if written in choices:
        return list(choices).index(written)
    if (label := _LABEL.match(written) or _PARENTHESIS_LABEL.match(written)) and label.group(1).upper() in letters:
        return letters.index(label.group(1).upper())
    return None
