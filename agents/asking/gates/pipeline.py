"""The way of a draft through the gates, each step counted: propose → parse → the gates of every question → its own."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TypeVar

from agents.asking.gates.counts import GateCounts
from agents.asking.gates.text import first_gates, read_draft
from agents.asking.proposal import Draft, Gate, Proposal
from agents.core.rules import CountTokens, Edition

T = TypeVar("T")


class Screening:
    """By an edition's rules. What is refused raises RejectedError, and EngineError when a proposer or gate cannot tell;
    ``counts`` holds both."""

    def __init__(self, edition: Edition, count_tokens: CountTokens, counts: GateCounts | None = None) -> None:
        self.counts = counts or GateCounts()
        self._first = first_gates(edition, count_tokens)

    async def passed(self, proposer: str, writing: Awaitable[Draft], gates: Sequence[Gate]) -> Proposal:
        """What is known of the draft of ``proposer`` once it is through the gates of every question and ``gates``."""
        with self.counts.passing(proposer, "propose"):
            draft = await writing
        with self.counts.passing(draft.proposer, "parse"):
            proposal = read_draft(draft)
        for gate in (*self._first, *gates):
            with self.counts.passing(draft.proposer, gate.name):
                proposal = await gate.check(proposal)
        return proposal

    async def kept(self, proposal: Proposal, keeping: Awaitable[T]) -> T:
        """What the pool makes of a proposal that is through all gates: the last step."""
        with self.counts.passing(proposal.proposer, "pool"):
            return await keeping
