"""The gate against repetition: no question is asked that is like one in the pool's file."""

from __future__ import annotations

from agents.asking.pool.store import QuestionStore
from agents.asking.proposal import Proposal, RejectedError


class DuplicatesGate:
    """Refuse what is like a question that waits or was served; with ``served_only``, only the latter."""

    name = "duplicates"

    def __init__(self, store: QuestionStore, *, served_only: bool = False) -> None:
        self._store, self._served_only = store, served_only

    async def check(self, proposal: Proposal) -> Proposal:
        if reason := await self._store.duplicate(proposal, served_only=self._served_only):
            raise RejectedError(reason)
        return proposal
