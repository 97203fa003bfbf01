"""A proved puzzle, and what can be wrong with one or with a request for one.

PuzzleError (a ValueError)
├── UnknownFamilyError   a family that is not in ``FAMILIES``
├── DifficultyError      a difficulty that is no level, or outside what the family can reach
└── ProofError           a puzzle whose key, text or certificate does not hold
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

CHOICES = 4
"""Choices a puzzle has."""


class PuzzleError(ValueError):
    """The root of this package's errors. ``str(error)`` is one sentence fit for a person."""


class UnknownFamilyError(PuzzleError):
    """A family that does not exist."""


class DifficultyError(PuzzleError):
    """A difficulty that is neither a level nor a number the family can reach."""


class ProofError(PuzzleError):
    """A puzzle that is not what its certificate says: the message names what differs."""


@dataclass(frozen=True)
class Puzzle:
    """One four-choice question with a proved key."""

    family: str
    """The name that made it: one of ``FAMILIES``."""
    topics: tuple[str, ...]
    """Names of the organisers' topics.json that it belongs to."""
    question: str
    """English text, without the choices."""
    choices: tuple[str, ...]
    """Four distinct texts, without letters in front."""
    key: int
    """Place of the right choice, from 0."""
    explanation: str
    """Why the key holds: at most 100 words, written from the proof."""
    difficulty: float
    """Steps and alternatives of the proof: see ``puzzles.difficulty``."""
    level: str
    """easy, medium or hard: the band that ``difficulty`` falls in."""
    fingerprint: str
    """32 hexadecimal digits, the same for puzzles that differ only in names, wording, order of clues, or in what is
    offered beside the key."""
    certificate: dict[str, Any]
    """JSON values: the structure the text was written from, and what its proof found. ``verify`` checks both."""

    def to_json(self) -> dict[str, Any]:
        """JSON values that ``from_json`` takes back."""
        return {**asdict(self), "topics": list(self.topics), "choices": list(self.choices)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Puzzle:
        """The puzzle that ``to_json`` wrote. Raises ProofError where a field is missing or unknown."""
        try:
            return cls(**{**data, "topics": tuple(data["topics"]), "choices": tuple(data["choices"])})
        except (KeyError, TypeError) as error:
            raise ProofError(f"puzzle: found fields that do not fit ({error}); expected those of Puzzle") from error
