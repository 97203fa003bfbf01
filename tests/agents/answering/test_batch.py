"""In a batch no question is given up while there is time, and nothing is late: against runs one after the other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from agent_fakes import CAPITAL, ScriptedEngine, answerer_on, letter_member, manifest_of
from simulation import QueueEngine, run_virtual

from agents.answering.answerer import Answerer, AnswerResult
from agents.answering.batch import BatchAnswer, BatchAnswerer
from agents.answering.cost import CostModel
from agents.answering.voter import Voter
from agents.core.deadline import Deadline
from agents.core.prompts import PromptRenderer

LIMIT_S, MARGIN_S = 6.0, 0.5


def answerer_in(loop: asyncio.AbstractEventLoop, engine: QueueEngine, members: int) -> Answerer:
    named = [letter_member(f"m{i}", weight=1 / members) for i in range(members)]
    renderer = PromptRenderer(engine.tokenizer)
    return Answerer(manifest_of(*named), [Voter(m, engine, renderer, m.name) for m in named], CostModel(loop.time))


def voted(result: AnswerResult) -> bool:
    return any(report.vote is not None for report in result.members)


async def simulated(
    step_s: float, size: int, members: int, rows: int, *, warm: bool
) -> tuple[list[bool], list[bool], float]:
    """Whether each row has a vote in a batch, whether it has one in a sequential run, and seconds of the batch."""
    loop = asyncio.get_running_loop()
    answerer = answerer_in(loop, QueueEngine(step_s), members)
    if warm:
        await answerer.answer(CAPITAL, Deadline(float("inf"), loop.time))
    start = loop.time()
    due = [Deadline(start + (i + 1) * LIMIT_S - MARGIN_S, loop.time) for i in range(rows)]
    batch = await BatchAnswerer(answerer, size).answer([CAPITAL] * rows, due)
    seconds = loop.time() - start
    await asyncio.sleep(100)
    other = answerer_in(loop, QueueEngine(step_s), members)
    if warm:
        await other.answer(CAPITAL, Deadline(float("inf"), loop.time))
    start = loop.time()
    single = []
    for i in range(rows):
        deadline = Deadline(start + (i + 1) * LIMIT_S - MARGIN_S, loop.time)
        single.append(voted(await other.answer(CAPITAL, deadline)))
    return [voted(answer.result) for answer in batch], single, seconds


@pytest.mark.parametrize("members", [1, 2, 4])
@pytest.mark.parametrize("size", [1, 5, 50])
@pytest.mark.parametrize("step_s", [0.2, 0.7, 1.5, 2.5, 4.0, 5.0])
def test_no_row_is_without_a_vote_that_a_sequential_run_answers(step_s: float, size: int, members: int) -> None:
    rows = 20
    batch, single, seconds = run_virtual(simulated(step_s, size, members, rows, warm=True))
    assert batch == [True] * rows
    assert single == [True] * rows
    assert seconds <= rows * LIMIT_S - MARGIN_S + 0.01


@pytest.mark.parametrize("size", [1, 5, 50])
@pytest.mark.parametrize("step_s", [0.2, 1.5, 3.0])
def test_before_anything_is_known_of_the_engine_a_batch_loses_nothing_either(step_s: float, size: int) -> None:
    batch, single, seconds = run_virtual(simulated(step_s, size, 3, 12, warm=False))
    assert sum(batch) >= sum(single)
    assert seconds <= 12 * LIMIT_S - MARGIN_S + 0.01


@dataclass
class Flaky(ScriptedEngine):
    """Fails until it has been asked ``failures`` times."""

    failures: int = 0
    asked: list[int] = field(default_factory=list)

    async def _work(self, adapter: str | None, text: str, hang: bool) -> None:
        self.asked.append(1)
        if len(self.asked) <= self.failures:
            raise self.error
        await super()._work(adapter, text, hang)


def test_what_no_member_answered_is_asked_again() -> None:
    engine = Flaky(knows={"one": "Paris"}, failures=3)
    told: list[int] = []

    def done(place: int, answer: BatchAnswer) -> None:
        told.append(place)

    work = BatchAnswerer(answerer_on(engine, letter_member("one")), 1).answer(
        [CAPITAL] * 3, [Deadline.after(5)] * 3, done
    )
    answers = asyncio.run(asyncio.wait_for(work, 10))
    assert [answer.result.answer.letter for answer in answers] == ["B"] * 3
    assert sorted(told) == [0, 1, 2]


def test_an_engine_that_only_fails_ends_the_batch_in_a_few_seconds() -> None:
    engine = ScriptedEngine(failing={"one"})
    work = BatchAnswerer(answerer_on(engine, letter_member("one")), 2).answer([CAPITAL] * 3, [Deadline.never()] * 3)
    answers = asyncio.run(asyncio.wait_for(work, 10))
    assert [answer.result.answer.letter for answer in answers] == ["C"] * 3


def test_a_cancelled_batch_stops_its_work() -> None:
    engine = ScriptedEngine(hanging={"one"})

    async def work() -> None:
        batch = asyncio.create_task(
            BatchAnswerer(answerer_on(engine, letter_member("one")), 2).answer([CAPITAL] * 3, [Deadline.never()] * 3)
        )
        await engine.entered.wait()
        batch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await batch

    asyncio.run(asyncio.wait_for(work(), 10))
    assert engine.running == 0


def test_no_questions_need_no_deadlines() -> None:
    batch = BatchAnswerer(answerer_on(ScriptedEngine(), letter_member("one")), 1)
    assert asyncio.run(batch.answer([], [])) == []
