"""More load than an ensemble can take, in simulated time: what is let in is answered in time, the rest is told when."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from simulation import QueueEngine, run_virtual

from agents.answering.answerer import Answerer, AnswerResult
from agents.answering.cost import CostModel
from agents.answering.voter import Voter
from agents.core.deadline import Deadline
from agents.core.manifest import Base, Manifest, Member
from agents.core.prompts import PromptRenderer
from agents.core.schema import Question
from service.admission import late_answer

LIMIT_S = 5.5
QUESTION = Question("What is the capital of France?", ("London", "Paris", "Rome", "Madrid"))
MEMBERS = [
    Member(name="first", method="letter", orders=4, weight=0.5),
    Member(name="second", method="letter", orders=2, weight=0.3),
    Member(name="third", method="letter", orders=1, weight=0.2),
]
STEPS = 7
"""Steps of a full answer."""


@dataclass
class Outcome:
    arrived_s: float
    seconds: float
    verdict: AnswerResult | None
    retry_after_s: int = 0

    @property
    def voted(self) -> bool:
        return self.verdict is not None and any(report.vote for report in self.verdict.members)


@dataclass
class Load:
    """Questions sent to an ensemble on ``engine``, each with ``LIMIT_S``, and what became of them."""

    engine: QueueEngine
    outcomes: list[Outcome] = field(default_factory=list)
    drained_s: float = 0.0
    most_in_flight: int = 0
    _in_flight: int = 0

    def __post_init__(self) -> None:
        clock = asyncio.get_running_loop().time
        renderer = PromptRenderer(self.engine.tokenizer)
        manifest = Manifest(name="sim", base=Base(model="sim", sha256="0" * 64), members=MEMBERS)
        voters = [Voter(member, self.engine, renderer, member.name) for member in MEMBERS]
        self.clock = clock
        self.answerer = Answerer(manifest, voters, CostModel(clock))

    async def warm_up(self) -> None:
        await self.answerer.answer(QUESTION, Deadline.never())

    async def ask(self) -> None:
        arrived_s = self.clock()
        deadline = Deadline.after(LIMIT_S, self.clock)
        refusal = late_answer(self.answerer, QUESTION, deadline)
        if refusal is not None:
            self.outcomes.append(Outcome(arrived_s, self.clock() - arrived_s, None, refusal.retry_after_s))
            return
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        verdict = await self.answerer.answer(QUESTION, deadline)
        self._in_flight -= 1
        self.outcomes.append(Outcome(arrived_s, self.clock() - arrived_s, verdict))

    async def poisson(self, rate: float, seconds: float, at: Callable[[float], None] = lambda elapsed_s: None) -> None:
        """``rate`` questions a second for ``seconds``; ``at`` is told the time before each. Ends once all is done."""
        gaps = random.Random(0)
        started_s = self.clock()
        asked = []
        while self.clock() - started_s < seconds:
            at(self.clock() - started_s)
            asked.append(asyncio.create_task(self.ask()))
            await asyncio.sleep(gaps.expovariate(rate))
        stopped_s = self.clock()
        await asyncio.gather(*asked)
        self.drained_s = self.clock() - stopped_s

    @property
    def admitted(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.verdict is not None]

    @property
    def refused(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.verdict is None]


ENGINES = {
    "one by one": {"step_s": 0.05},
    "slow": {"step_s": 0.3},
    "in batches": {"step_s": 0.002, "batch": 16, "latency_s": 0.03},
}


def capacity(engine: QueueEngine) -> float:
    """Full answers a second that the engine can give at most."""
    return engine.batch / (engine.latency_s + engine.batch * engine.step_s) / STEPS


def loaded(times_capacity: float, seconds: float, **options: float) -> Load:
    async def work() -> Load:
        load = Load(QueueEngine(**options))
        await load.warm_up()
        await load.poisson(times_capacity * capacity(load.engine), seconds)
        return load

    return run_virtual(work())


@pytest.mark.parametrize("engine", ENGINES)
def test_at_half_the_capacity_nearly_every_answer_is_full(engine: str) -> None:
    load = loaded(0.5, 30, **ENGINES[engine])
    assert not load.refused
    full = [outcome for outcome in load.admitted if outcome.verdict is not None and not outcome.verdict.degraded]
    assert len(full) >= 0.9 * len(load.outcomes)


@pytest.mark.parametrize("engine", ENGINES)
def test_at_twice_the_capacity_nobody_is_late_and_nearly_all_are_answered_by_a_member(engine: str) -> None:
    load = loaded(2, 30, **ENGINES[engine])
    assert max(outcome.seconds for outcome in load.outcomes) <= LIMIT_S + 1e-6
    assert sum(outcome.voted for outcome in load.admitted) >= 0.95 * len(load.admitted)
    # Less is asked for before anybody is turned away.
    assert len(load.refused) <= 0.05 * len(load.outcomes)
    assert load.drained_s <= LIMIT_S
    assert load.answerer.wait_s() == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_far_over_capacity_the_rest_is_refused_at_once_and_told_when_to_come_back(engine: str) -> None:
    load = loaded(20, 10, **ENGINES[engine])
    assert sum(outcome.voted for outcome in load.admitted) >= 0.95 * len(load.admitted)
    assert load.refused
    assert all(1 <= outcome.retry_after_s <= LIMIT_S for outcome in load.refused)
    assert all(outcome.seconds == 0 for outcome in load.refused)
    assert load.drained_s <= LIMIT_S


@pytest.mark.parametrize("factor", [3.0, 1 / 3])
def test_an_engine_that_changes_its_speed_is_followed(factor: float) -> None:
    async def work() -> Load:
        load = Load(QueueEngine(step_s=0.05))
        await load.warm_up()

        def change(elapsed_s: float) -> None:
            load.engine.step_s = 0.05 if elapsed_s < 20 else 0.05 * factor

        await load.poisson(capacity(load.engine), 60, at=change)
        return load

    load = run_virtual(work())
    assert max(outcome.seconds for outcome in load.outcomes) <= LIMIT_S + 1e-6
    assert sum(outcome.voted for outcome in load.admitted) >= 0.95 * len(load.admitted)
    settled = [outcome for outcome in load.admitted if outcome.arrived_s > 30]
    assert all(outcome.voted for outcome in settled)
    if factor < 1:
        assert all(outcome.verdict is not None and outcome.verdict.rung == "full" for outcome in settled)


def test_an_engine_that_stops_for_a_while_is_used_again_when_it_goes_on() -> None:
    async def work() -> Load:
        load = Load(QueueEngine(step_s=0.05))
        await load.warm_up()

        def stop(elapsed_s: float) -> None:
            load.engine.latency_s = 12 if 10 <= elapsed_s < 20 else 0

        await load.poisson(0.5 * capacity(load.engine), 60, at=stop)
        return load

    load = run_virtual(work())
    assert max(outcome.seconds for outcome in load.outcomes) <= LIMIT_S + 1e-6
    settled = [outcome for outcome in load.outcomes if outcome.arrived_s > 45]
    assert all(outcome.voted for outcome in settled)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_burst_of_ten_thousand_ends_in_answers_and_refusals_in_bounded_memory(engine: str) -> None:
    async def work() -> Load:
        load = Load(QueueEngine(**ENGINES[engine]))
        await load.warm_up()
        await asyncio.gather(*(load.ask() for _ in range(10_000)))
        return load

    load = run_virtual(work())
    assert len(load.outcomes) == 10_000
    assert max(outcome.seconds for outcome in load.outcomes) <= LIMIT_S + 1e-6
    assert all(outcome.voted for outcome in load.admitted)
    assert all(outcome.retry_after_s >= 1 for outcome in load.refused)
    # Never more than the engine can answer with one step each.
    most = LIMIT_S * STEPS * capacity(load.engine)
    assert load.most_in_flight == len(load.admitted) <= most
    assert load.engine.most_waiting <= most + STEPS
