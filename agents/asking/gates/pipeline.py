"""The pipeline from a draft to a question that may be asked: propose → parse → text gates → the source's own → pool.

Each step is counted; a refusal, under its reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from agents.asking.gates.counts import GateCounts
from agents.asking.gates.text import text_gates
from agents.asking.proposal import Draft, Gate, Proposal, RejectedError
from agents.core.edition import Edition
from agents.core.errors import QuestionError
from agents.core.rules import CountTokens
from agents.core.schema import read_sound_question
from puzzles.puzzle import CHOICES

T = TypeVar("T")


class GatePipeline:
    """Run drafts through the gates by an edition's rules, and count them in ``counts``.

    Both methods raise RejectedError for what is refused, and EngineError when a proposer or gate cannot tell.
    """

    def __init__(self, edition: Edition, count_tokens: CountTokens) -> None:
        self.counts = GateCounts()
        self._text_gates = text_gates(edition, count_tokens)

    async def run(self, proposer: str, writing: Awaitable[Draft], gates: Sequence[Gate]) -> Proposal:
        """Return the proposal that the draft of ``proposer`` became behind the text gates and ``gates``."""
        with self.counts.passing(proposer, "propose"):
            draft = await writing
        with self.counts.passing(draft.proposer, "parse"):
            proposal = parse_draft(draft)
        for gate in (*self._text_gates, *gates):
            with self.counts.passing(draft.proposer, gate.name):
                proposal = await gate.check(proposal)
        return proposal

    async def keep(self, proposal: Proposal, keeping: Awaitable[T]) -> T:
        """Return the result of ``keeping``: the last step, in which the pool takes the proposal."""
        with self.counts.passing(proposal.proposer, "pool"):
            return await keeping


def parse_draft(draft: Draft) -> Proposal:
    """The question that a proposer wrote, on the topic it was asked for. Raises RejectedError."""
    row: Any = draft.row
    if isinstance(row, str):
        try:
            row = json.loads(row)
        except (ValueError, RecursionError):
            raise RejectedError("not JSON") from None
    try:
        question = read_sound_question(row)
    except QuestionError as error:
        raise RejectedError(f"no {re.split(r'[^a-z ]', error.field)[0]} to read") from None
    if question.key is None:
        raise RejectedError("no key")
    if len(question.choices) != CHOICES:
        raise RejectedError("not four choices")
    explanation = row.get("explanation") if isinstance(row, dict) else None
    return Proposal(
        question=replace(question, topic=draft.topic),
        explanation=explanation.strip() if isinstance(explanation, str) else "",
        proposer=draft.proposer,
        level=draft.level,
        difficulty=draft.difficulty,
        fingerprint=draft.fingerprint,
        proof=draft.proof,
    )
