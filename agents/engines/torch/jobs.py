"""Work for the thread that runs a PyTorch model: rows to score, and generations."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field

from agents.engines.protocol import Generation
from agents.engines.torch.structured import TokenConstraint


@dataclass(eq=False)
class Row:
    """A sequence to read. At position ``context + i`` the log-probs of ``targets[i]`` as the next token are wanted.

    A row that is read in pieces moves on: ``found`` holds the log-probs so far, ``context`` and ``targets`` the rest.
    """

    job: ScoreJob
    index: int
    tokens: list[int]
    context: int
    targets: list[list[int]]
    found: list[list[float]] = field(default_factory=list)


@dataclass(eq=False)
class ScoreJob:
    adapter: str | None
    future: Future[list[list[list[float]]]]
    results: list[list[list[float]]]
    waiting: int = 0


@dataclass(eq=False)
class GenerateJob:
    adapter: str | None
    future: Future[Generation]
    prompt: list[int]
    max_tokens: int
    temperature: float
    top_p: float
    seed: int | None
    stop_ids: frozenset[int]
    constraint: TokenConstraint | None = None
    steps: Iterator[None] | None = None
