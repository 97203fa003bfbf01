"""The key gate of questions that nothing proves: the A-Agent's ensemble must pick the key, whatever the order.

The ensemble never sees the explanation or the key. It is asked once for each cyclic order of the choices, and in each
a letter member is asked in that order alone: its usual mean over the orders would hide that it follows the position.
Cloze members score texts, so no order changes what they say; they are asked once, and the proof says so. In an ensemble
of nothing else all orders are one, and what the gate then rests on is how sure the ensemble is: ``MIN_PROBABILITY``.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from agents.answering.voter import Voter
from agents.asking.proposal import Proposal, RejectedError
from agents.core.errors import EngineError
from agents.core.manifest import Manifest
from agents.core.permutation import Order, cyclic_orders, to_choices
from agents.core.pooling import likeliest, pool_distributions
from agents.core.schema import LETTERS, Question
from agents.support.priority import Priority, PriorityGate

MIN_PROBABILITY = 0.5
"""The key must be likelier than all other choices together. A pick among four that are all but equal is no agreement:
a weak ensemble would make one of every question."""

NO_KEY = "no key"
DISAGREES = "the ensemble picks another choice"
UNSTEADY = "the ensemble's pick changes with the order of the choices"
UNSURE = "the ensemble is not sure of the key"
TOO_LONG = "too long for the ensemble to read whole"
_DECIMALS = 6


class AgreementGate:
    """Implements ``proposal.Gate``. ``voters`` returns those that serve now, as ``Answerer.voters`` does.

    No call to an engine begins while ``priorities`` has an answer in progress.
    """

    name = "key"

    def __init__(
        self,
        manifest: Manifest,
        voters: Callable[[], Sequence[Voter]],
        *,
        priorities: PriorityGate | None = None,
        min_probability: float = MIN_PROBABILITY,
    ) -> None:
        self._manifest = manifest
        self._voters = voters
        self._priorities = priorities or PriorityGate()
        self._min_probability = min_probability
        self._manifest_sha256 = hashlib.sha256(manifest.model_dump_json().encode()).hexdigest()

    async def check(self, proposal: Proposal) -> Proposal:
        """The proposal with the distributions as its proof. Raises RejectedError at the first disagreement.

        Raises EngineError unless every member of the ensemble has voted: a part of it is not what was measured.
        """
        question, key = replace(proposal.question, key=None), proposal.question.key
        if key is None:
            raise RejectedError(NO_KEY)
        voters = self._whole_ensemble()
        fixed: dict[str, list[float]] = {}
        by_order: list[tuple[Order, list[float]]] = []
        for order in cyclic_orders(len(question.choices)):
            distributions = [await self._distribution(voter, question, order, fixed) for voter in voters]
            pooled = pool_distributions(
                self._manifest.pooling, distributions, [voter.member.weight for voter in voters]
            )
            if likeliest(pooled) != key:
                raise RejectedError(UNSTEADY if by_order else DISAGREES)
            if pooled[key] < self._min_probability:
                raise RejectedError(UNSURE)
            by_order.append((order, pooled))
        return replace(proposal, proof=self._proof(voters, by_order, key))

    def _whole_ensemble(self) -> list[Voter]:
        serving = {voter.member.name: voter for voter in self._voters()}
        wanted = [member.name for member in self._manifest.members if member.weight > 0]
        if missing := [name for name in wanted if name not in serving]:
            raise EngineError(f"{self._manifest.name} cannot confirm a key: {', '.join(missing)} not served now")
        return [serving[name] for name in wanted]

    async def _distribution(
        self, voter: Voter, question: Question, order: Order, fixed: dict[str, list[float]]
    ) -> list[float]:
        """A member's distribution by choice, with the choices shown in ``order``. ``fixed`` keeps those of no order."""
        name = voter.member.name
        if name in fixed:
            return fixed[name]
        await self._priorities.turn(Priority.QUESTION)
        *_, vote = [vote async for vote in voter.votes(question.permuted(order), steps=1)]
        if vote.truncated:
            raise RejectedError(TOO_LONG)
        if not all(map(math.isfinite, vote.probabilities)):
            raise EngineError(f"member {name} gave a distribution that is not finite")
        by_choice = to_choices(order, vote.probabilities)
        if voter.member.method != "letter":
            fixed[name] = by_choice
        return by_choice

    def _proof(
        self, voters: Sequence[Voter], by_order: Sequence[tuple[Order, list[float]]], key: int
    ) -> dict[str, Any]:
        """JSON values. Probabilities are by choice as the question has them, not by place."""
        manifest = self._manifest
        return {
            "kind": "agreement",
            "ensemble": manifest.name,
            "manifest_sha256": self._manifest_sha256,
            "base": manifest.base.model_dump(exclude_none=True),
            "pooling": manifest.pooling,
            "members": [
                {
                    **voter.member.model_dump(include={"name", "kind", "sha256", "method", "weight"}),
                    "asked": "in each order" if voter.member.method == "letter" else "once",
                }
                for voter in voters
            ],
            "orders": [
                {
                    "shown": "".join(LETTERS[choice] for choice in order),
                    "probabilities": [round(value, _DECIMALS) for value in pooled],
                }
                for order, pooled in by_order
            ],
            "least_probability_of_key": round(min(pooled[key] for _, pooled in by_order), _DECIMALS),
        }
