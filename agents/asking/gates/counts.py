"""What became of every draft: by proposer, gate and reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from agents.asking.proposal import RejectedError
from agents.core.errors import EngineError


@dataclass(frozen=True)
class GateRow:
    """One gate's count for one proposer's drafts."""

    proposer: str
    gate: str
    entered: int
    refused: int
    reasons: dict[str, int]
    """Refusals by reason, the most frequent first."""


class GateCounts:
    """Counts of one run. Gates are listed in the order in which they were first entered."""

    def __init__(self) -> None:
        self._entered: Counter[tuple[str, str]] = Counter()
        self._refused: Counter[tuple[str, str, str]] = Counter()

    def enter(self, proposer: str, gate: str) -> None:
        self._entered[proposer, gate] += 1

    def refuse(self, proposer: str, gate: str, reason: str) -> None:
        """One that entered was refused."""
        self._refused[proposer, gate, reason] += 1

    @contextmanager
    def passing(self, proposer: str, gate: str) -> Iterator[None]:
        """Counts what happens inside: RejectedError under its reason, EngineError as "engine failed"; both go on."""
        self.enter(proposer, gate)
        try:
            yield
        except RejectedError as error:
            self.refuse(proposer, gate, error.reason)
            raise
        except EngineError:
            self.refuse(proposer, gate, "engine failed")
            raise

    def rows(self) -> list[GateRow]:
        """Proposer by proposer, gate by gate."""
        return [
            GateRow(proposer, gate, entered, sum(reasons.values()), reasons)
            for (proposer, gate), entered in sorted(self._entered.items(), key=lambda item: item[0][0])
            for reasons in [self._reasons(proposer, gate)]
        ]

    def to_json(self) -> list[dict[str, Any]]:
        """JSON values: one object a row."""
        return [row.__dict__.copy() for row in self.rows()]

    def table(self) -> str:
        """Plain text, one line a gate, aligned."""
        head = ("proposer", "gate", "entered", "refused", "reasons")
        lines = [head] + [
            (row.proposer, row.gate, f"{row.entered:,}", f"{row.refused:,}", _listed(row.reasons))
            for row in self.rows()
        ]
        widths = [max(len(line[column]) for line in lines) for column in range(4)]
        return "\n".join(
            f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}  {d:>{widths[3]}}  {e}".rstrip()
            for a, b, c, d, e in lines
        )

    def _reasons(self, proposer: str, gate: str) -> dict[str, int]:
        found = {reason: n for (name, at, reason), n in self._refused.items() if (name, at) == (proposer, gate)}
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _listed(reasons: dict[str, int]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())
