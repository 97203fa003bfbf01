"""The editions of the tournament: limits, topics and names. ``editions/*.toml`` hold them as data."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType

from agents.core.errors import InputError, describe

DEFAULT_EDITION = "oct2025_aiac"
"""What holds when nobody names an edition: the shortest time there is, so that no referee finds an answer late."""

_EDITIONS = ("jul2025_iisc", DEFAULT_EDITION, "feb2026_iitd")
ALIASES = {"aaipl-2025-07": "jul2025_iisc", "aiac-2025-10": DEFAULT_EDITION, "aaipl-2026-02": "feb2026_iitd"}
"""Other names of the editions: the tournament, the year, the month."""


@dataclass(frozen=True)
class Edition:
    """One edition of the tournament. Names end in their unit; token counts are those of ``rules.CountTokens``."""

    id: str
    """The name ``load_edition`` takes."""
    title: str
    """For people."""
    question_seconds: float
    """Time for one question; a later one is ignored."""
    answer_seconds: float
    """Time for one answer; a later one counts as wrong."""
    question_tokens: int
    """Question, answer and choices together must stay below this, after ``question_tokens_allowance`` is taken off."""
    question_tokens_allowance: int
    """Tokens taken off a question's count before it is compared."""
    question_tokens_advertised: str
    """The limit the organisers announced, where it differs from the one they check; empty where they announced none."""
    question_with_explanation_tokens: int
    """The count compared with ``question_tokens``, plus the explanation: at most this."""
    answer_tokens: int
    """The answer's letter or text must stay below this."""
    answer_with_reasoning_tokens: int
    """Answer and reasoning together must stay below this."""
    explanation_words: int
    """Words an explanation may have at most. Asked for by the organisers; no code of theirs checks it."""
    reasoning_words: int
    """Words a reasoning may have at most. Asked for by the organisers; no code of theirs checks it."""
    question_max_new_tokens: int
    """Generation limit of a Q-agent; teams must not change it."""
    answer_max_new_tokens: int
    """Generation limit of an A-agent; teams must not change it."""
    survival_fraction: float
    """Share of a team's questions, 0 to 1, that must survive, or the team is out. Not ``rules.FILTER_FRACTION``."""
    default_questions: int
    """Questions per innings when nobody says otherwise."""
    choices: int
    """Choices a question has."""
    banned_question_kinds: tuple[str, ...]
    """Kinds of question the notices forbid, in plain words. No code of theirs checks it."""
    topics: Mapping[str, tuple[str, ...]]
    """Topics by category, in the order of the organisers' topics.json. Read-only."""


def edition_names() -> tuple[str, ...]:
    """The editions that ship with this package, oldest first."""
    return _EDITIONS


def load_edition(name: str) -> Edition:
    """The edition called ``name``, or by one of ``ALIASES``. Raises InputError, which lists them, for any other."""
    name = ALIASES.get(name, name)
    if name not in _EDITIONS:
        raise InputError("edition", describe(name), f"one of {', '.join(_EDITIONS)}")
    table = tomllib.loads(files(__package__).joinpath("editions", f"{name}.toml").read_text(encoding="utf-8"))
    topics = {category: tuple(names) for category, names in table.pop("topics").items()}
    banned = tuple(table.pop("banned_question_kinds"))
    return Edition(**table, banned_question_kinds=banned, topics=MappingProxyType(topics))
