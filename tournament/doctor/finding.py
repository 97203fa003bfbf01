"""What an examination finds, what it examines with, and the words that all checks share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from agents.core.deadline import Clock
from agents.core.edition import Edition
from agents.core.rules import CountTokens
from tournament.teams.protocol import Row

FindingVerdict = Literal["ok", "warning", "fail", "not checked"]
MIN_FOR_LETTERS = 20
"""Fewer rows say nothing about the distribution of their letters."""
MAX_NAMED = 3
"""Rows that a sentence names; of more it gives the number."""


@dataclass(frozen=True)
class Finding:
    """One check's outcome. ``fix`` says what to do in one sentence; it is empty where nothing is wrong."""

    check: str
    verdict: FindingVerdict
    found: str
    expected: str = ""
    fix: str = ""

    def to_json(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Examination:
    """Under which rules, how thoroughly, and with what it is examined."""

    edition: Edition
    count_tokens: CountTokens
    tokenizer: str
    """Where ``count_tokens`` comes from, for people."""
    samples: Sequence[Row]
    """Questions with sound keys that the A-agent is asked, at least as many as the largest size."""
    sizes: Sequence[int]
    """How many questions or answers are asked for at a time, ascending."""
    burst: int = 20
    """Requests that a service gets at the same time."""
    patience_s: float = 2.0
    """Waited past the limit of a request, so that a finding can say by how much it is late."""
    run_patience_s: float = 60.0
    """As ``patience_s``, for a run: a model that loads too slowly is late by much more."""
    no_model_timeout_s: float = 5.0
    """For a reply that needs no model: /health, /ready, and to what is no question."""
    clock: Clock = time.monotonic


def judged(
    check: str,
    good: bool,
    found: str,
    *,
    expected: str = "",
    fix: str,
    otherwise: Literal["warning", "fail"] = "fail",
) -> Finding:
    """``ok`` when ``good``, else ``otherwise`` with the ``fix``."""
    return Finding(check, "ok", found, expected) if good else Finding(check, otherwise, found, expected, fix)


def unchecked(check: str, reason: str) -> Finding:
    """A check that could not be made, because ``reason``."""
    return Finding(check, "not checked", reason)


def passes(findings: Iterable[Finding]) -> bool:
    """Whether nothing fails."""
    return all(finding.verdict != "fail" for finding in findings)


def named(reasons: Mapping[int, str], what: str = "row") -> str:
    """``row 3: …; row 7: …; 4 more``, rows counted from 1."""
    shown = [f"{what} {place + 1}: {reason}" for place, reason in list(reasons.items())[:MAX_NAMED]]
    more = [f"{len(reasons) - MAX_NAMED:,} more"] if len(reasons) > MAX_NAMED else []
    return "; ".join(shown + more)


def plural(number: int, thing: str) -> str:
    """``1 answer``, ``2 answers``."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


Say = Callable[[str], None]
"""Tells a person what is being done now."""
