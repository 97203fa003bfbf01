"""What a family of puzzles is: structure first, proof second, text last."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any, NamedTuple, Protocol, TypeVar

from puzzles.puzzle import CHOICES, ProofError

S = TypeVar("S")
V = TypeVar("V")

MAX_PARTS = 512
"""Bounds the values of a structure, nested ones included. The largest puzzle of 840 drawn ones has 110."""
MAX_LENGTH = 32
"""Bounds the entries of one list of a structure. The longest series drawn here shows 24 letters."""
MAX_DEPTH = 6
"""Bounds the nesting of a structure. A statement within a clue within the clues is at 4."""
MAX_CHARS = 64
"""Bounds one text of a structure: names, words and symbols. The longest used here has 20 characters."""
MAX_SIZE = 1 << 30
"""Bounds one number of a structure: the seed of the wording is the largest that is drawn."""


class Proof(NamedTuple):
    """What a proof found. Raised away (ProofError) when there is none."""

    depth: float
    """Elementary facts chained: see ``puzzles.difficulty``."""
    breadth: float
    """Mean bits of open alternatives."""
    findings: dict[str, Any]
    """JSON values for the certificate: how many models, a witness, the criterion, the verdict on each choice."""


class Text(NamedTuple):
    question: str
    choices: tuple[str, ...]


class Family(Protocol[S]):
    """A kind of puzzle. ``S`` is its structure: a frozen dataclass of strings, numbers and tuples of them, with all
    that the text is written from, the choices and the key's place included."""

    @property
    def name(self) -> str:
        """What ``FAMILIES`` calls it."""
        ...

    @property
    def topics(self) -> tuple[str, ...]:
        """Names of the organisers' topics.json that its puzzles belong to."""
        ...

    @property
    def reach(self) -> tuple[float, float]:
        """The lowest and the highest difficulty that can be asked for by number."""
        ...

    @property
    def structure(self) -> type[S]:
        """The structure's class."""
        ...

    def draw(self, rng: random.Random, low: float, high: float) -> S | None:
        """One structure, aimed at a difficulty in ``low`` to ``high``; None where this draw came to nothing."""
        ...

    def prove(self, structure: S) -> Proof:
        """Solves ``structure`` from its clues alone. Raises ProofError unless the key is right, every other choice
        wrong and every clue needed."""
        ...

    def render(self, structure: S) -> Text:
        """The English text: a function of ``structure`` alone."""
        ...

    def explain(self, structure: S, proof: Proof) -> str:
        """Why the key holds, at most 100 words."""
        ...

    def fingerprint(self, structure: S) -> str:
        """As ``puzzles.fingerprint`` describes."""
        ...


def shuffled_choices(rng: random.Random, key: V, others: Sequence[V]) -> tuple[tuple[V, ...], int]:
    """The choices in random order, and the key's place: uniform over the four places."""
    if len(others) != CHOICES - 1:
        raise ProofError(f"choices: found {len(others)} beside the key; expected {CHOICES - 1}")
    choices = rng.sample(list(others), len(others))
    place = rng.randrange(CHOICES)
    choices.insert(place, key)
    return tuple(choices), place


def to_json(structure: Any) -> dict[str, Any]:
    """A structure as JSON values: tuples become lists."""
    thawed = _thaw(asdict(structure))
    assert isinstance(thawed, dict)  # noqa: S101 - asdict gives a dict
    return thawed


def from_json(kind: type[S], data: Any) -> S:
    """The structure that ``to_json`` wrote.

    Raises ProofError where fields are missing, unknown, or beyond the bounds at the top of this file.
    """
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(data, dict) or set(data) != names:
        raise ProofError(f"certificate: found another structure than a {kind.__name__}; expected {sorted(names)}")
    _require_bounded(data)
    return kind(**{name: _freeze(value) for name, value in data.items()})


def _require_bounded(data: dict[str, Any]) -> None:
    waiting = [(name, value, 1) for name, value in data.items()]
    parts = 0
    while waiting:
        name, value, depth = waiting.pop()
        parts += 1
        if isinstance(value, (list, tuple)):
            fits = len(value) <= MAX_LENGTH and depth < MAX_DEPTH
            waiting += [(name, inner, depth + 1) for inner in value] if fits else []
        elif isinstance(value, str):
            fits = len(value) <= MAX_CHARS
        else:
            fits = value is None or (isinstance(value, int) and abs(value) <= MAX_SIZE)
        if not fits or parts > MAX_PARTS:
            raise ProofError(
                f"certificate: structure.{name}: found a value beyond the bounds; expected texts of at most "
                f"{MAX_CHARS} characters, whole numbers up to {MAX_SIZE:,}, and lists of at most {MAX_LENGTH}"
            )


def _thaw(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _thaw(inner) for name, inner in value.items()}
    return [_thaw(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _freeze(value: Any) -> Any:
    return tuple(_freeze(inner) for inner in value) if isinstance(value, (list, tuple)) else value
