"""How hard a question is for an opponent: 1 − the probability of the key under a stand-in for one.

The stand-in is the base model through one voter. Opponents tune models of the same kind and size, so what the untrained
base gets wrong is the best guess at hand of what they do; our own ensemble would be a worse one, since it has just
confirmed the key of every question of the model proposer. One voter costs a fraction of an answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from agents.answering.voter import Voter
from agents.asking.proposal import Proposal
from agents.core.errors import EngineError
from agents.support.priority import Priority, PriorityGate


class HardnessGate:
    """Implements ``proposal.Gate``; it lets every question through. Without a stand-in, hardness stays unknown.

    ``stand_in`` returns the voter to ask now. It is not asked while ``priorities`` has an answer in progress.
    """

    name = "hardness"

    def __init__(self, stand_in: Callable[[], Voter | None], *, priorities: PriorityGate | None = None) -> None:
        self._stand_in = stand_in
        self._priorities = priorities or PriorityGate()

    async def check(self, proposal: Proposal) -> Proposal:
        """The proposal with its hardness. Raises EngineError when the stand-in's engine fails."""
        voter, key = self._stand_in(), proposal.question.key
        if voter is None or key is None:
            return proposal
        await self._priorities.turn(Priority.QUESTION)
        probability = (await voter.complete_vote(replace(proposal.question, key=None))).probabilities[key]
        if not math.isfinite(probability):
            raise EngineError(f"member {voter.member.name} gave a distribution that is not finite")
        return replace(proposal, hardness=1.0 - probability)
