"""Which members to ask, and for how many steps, in the time that is left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from agents.answering.cost import CostModel, EngineQueue, Reservation, size_of
from agents.answering.ladder import Offer, Rung, RungKind, best, rungs
from agents.answering.voter import Voter
from agents.core.schema import Question

SAFETY = 0.8
"""How much of the time left the cheapest rung may fill: predictions are means, and a late answer counts for nothing."""
HELD_BACK = 0.1
"""How much less of it the fullest rung may fill while others wait, and those between in proportion: there is room then
for what arrives next.

In simulated time at twice the capacity this refuses none of the questions instead of 10%.
"""

PlanKind = RungKind | Literal["nothing"]
KINDS: tuple[PlanKind, ...] = ("full", "fewer orders", "fewer members", "nothing")
"""From the most to the least that is asked for."""


@dataclass(frozen=True)
class VotePlan:
    """Steps by member; members that are not in it are left out."""

    kind: PlanKind
    steps: dict[str, int]


class Planner:
    """The voters that serve at one time, grouped by the engine whose queue they share. It does not change.

    Engines work side by side, so each has a ladder of its own: asking one of them for less does not hurry another.
    """

    def __init__(self, voters: Sequence[Voter], costs: CostModel) -> None:
        self.voters = tuple(voters)
        groups: dict[EngineQueue, list[Voter]] = {}
        for voter in self.voters:
            groups.setdefault(costs.queue(voter.engine), []).append(voter)
        self._groups = list(groups.items())

    def plan(self, question: Question, remaining_s: float) -> VotePlan:
        """The highest rung on every engine that is predicted to be done in ``remaining_s``, less a reserve.

        An engine with nothing to do is asked for its last rung even where that is not predicted to fit: it costs nobody
        else anything, and a prediction that is wrong is set right by it. When that leaves nothing on any engine, the
        step that would be done first is asked for if the reserve may just be enough, and otherwise nothing is.
        """
        if not self._groups or remaining_s <= 0:
            return VotePlan("nothing", {})
        chosen: list[Rung] = []
        soonest: tuple[float, Offer] | None = None
        for queue, offers, ready_s in self._offers(question):
            rung = _highest(offers, remaining_s, ready_s, idle=queue.outstanding == 0)
            if rung is not None:
                chosen.append(rung)
            elif (done_s := ready_s + best(offers).step_s) <= remaining_s and (not soonest or done_s < soonest[0]):
                soonest = done_s, best(offers)
        if not chosen:
            alone: PlanKind = "fewer members" if len(self.voters) > 1 else "fewer orders"
            return VotePlan(alone, {soonest[1].member: 1}) if soonest else VotePlan("nothing", {})
        kind: PlanKind = max((rung.kind for rung in chosen), key=KINDS.index)
        steps = {member: n for rung in chosen for member, n in rung.steps.items()}
        return VotePlan(kind if len(chosen) == len(self._groups) else "fewer members", steps)

    def shortfall_s(self, question: Question, remaining_s: float, spare: Sequence[Reservation] = ()) -> float:
        """Seconds until the cheapest rung of some engine would fit into ``remaining_s``; 0 when one does now.

        What is reserved in ``spare`` counts as free.
        """
        shortfall = float("inf")
        for queue, offers, ready_s in self._offers(question):
            step_s = best(offers).step_s
            ready_s -= sum(queue.step_s(r.member, r.size * r.steps) for r in spare if r.queue is queue)
            missing_s = ready_s + step_s - SAFETY * remaining_s
            if missing_s <= 0 or queue.outstanding == 0:
                return 0.0
            # Once the engine has nothing to do it is asked in any case.
            shortfall = min(shortfall, missing_s, ready_s)
        return shortfall if self._groups else 0.0

    def reserve(self, question: Question, plan: VotePlan) -> Iterator[tuple[Voter, Reservation]]:
        """The voters of a plan, each with its steps counted as outstanding."""
        size = size_of(question)
        for queue, voters in self._groups:
            for voter in voters:
                if steps := plan.steps.get(voter.member.name):
                    yield voter, queue.reserve(voter.member.name, size, steps)

    def _offers(self, question: Question) -> Iterator[tuple[EngineQueue, list[Offer], float]]:
        """Each engine's queue, what its members could add, and the seconds until it would get to them."""
        size = size_of(question)
        for queue, voters in self._groups:
            offers = [
                Offer(v.member.name, v.member.weight, v.steps(question), queue.step_s(v.member.name, size))
                for v in voters
            ]
            yield queue, offers, queue.ready_s()


def _highest(offers: Sequence[Offer], remaining_s: float, ready_s: float, *, idle: bool) -> Rung | None:
    ladder = list(rungs(offers))
    held_back = 0.0 if idle else HELD_BACK
    for below, rung in zip(reversed(range(len(ladder))), ladder, strict=True):
        share = SAFETY - held_back * below / max(len(ladder) - 1, 1)
        if ready_s + rung.cost_s <= share * remaining_s:
            return rung
    return ladder[-1] if idle else None
