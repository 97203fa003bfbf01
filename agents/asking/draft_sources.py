"""The sources of drafts, and which of them writes on a topic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agents.asking.proposal import DraftSource, Proposer
from agents.asking.solver_proposer import Solver, solver_source
from agents.core.topics import Topic


@dataclass(frozen=True)
class DraftSources:
    """The sources of one questioner. Give those that fill the pool a process of low priority, and ``solver`` none."""

    solver: DraftSource[Solver] = field(default_factory=solver_source)
    """Makes what the pool lacks while someone waits."""
    writers: Sequence[DraftSource[Proposer]] | None = None
    """Fill the pool, in turn; ``solver`` where none are given."""
    model: DraftSource[Proposer] | None = None
    """Writes on topics that none of the others covers, and on no other."""

    def filling(self, topic: Topic) -> list[DraftSource[Proposer]]:
        """Return those that fill the pool with questions on ``topic``."""
        writers = [self.solver] if self.writers is None else self.writers
        return [source for source in writers if source.proposer.covers(topic)]

    def find(self, topic: Topic) -> DraftSource[Proposer] | None:
        """Return the source for someone who waits: the solver before the writers, the model where they cannot."""
        candidates: list[DraftSource[Proposer]] = [self.solver, *(self.writers or ())]
        if self.model is not None:
            candidates.append(self.model)
        return next((source for source in candidates if source.proposer.covers(topic)), None)
