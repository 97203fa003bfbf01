"""The Q-Agent with a language model: for topics that nothing else covers, through the gates, in time, giving way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from question_fakes import SEATING, FakeGate, FakeProposer, parts_of_questioner, refuse, unproved

from agents.asking.pool.filling import EARNED_DRAFTS, MOST_EARNING
from agents.asking.pool.store import QuestionStore
from agents.asking.proposal import DraftSource, Proposal
from agents.asking.questioner import Questioner
from agents.asking.solver_proposer import solver_source
from agents.core.deadline import Deadline
from agents.core.edition import load_edition
from agents.core.errors import EngineError, InputError, NotReadyError
from agents.core.topics import Topic
from agents.support.priority import Priority, PriorityGate

OCTOBER = load_edition("oct2025_aiac")
INSECTS = "Insects"


@dataclass
class Agent:
    """A Q-Agent, its model, and what fills it."""

    questioner: Questioner
    model: FakeProposer
    store: QuestionStore
    priorities: PriorityGate

    async def waiting(self, topic: str = INSECTS) -> int:
        return sum(row.waiting for row in await self.store.counts() if row.topic == topic)

    async def steps(self, number: int) -> list[bool]:
        return [await self.questioner.refill() for _ in range(number)]

    def refusals(self) -> dict[str, dict[str, int]]:
        rows = self.questioner.gate_counts.rows()
        return {row.gate: row.reasons for row in rows if row.proposer == "model" and row.reasons}


def good(call: int) -> dict[str, Any]:
    return unproved(call).question.canonical("It is so because it says so.")


@asynccontextmanager
async def agent(
    write: Callable[[int], Any] | None = good,
    judge: Callable[[Proposal], Proposal] = lambda proposal: proposal,
    *,
    capacity: int = 2,
    **parts: Any,
) -> AsyncIterator[Agent]:
    """Nothing but the model fills its pool, unless ``parts`` say otherwise."""
    model, store, priorities = FakeProposer(write), QuestionStore(None, capacity=capacity), PriorityGate()
    source = DraftSource(model, [FakeGate("key", judge)])
    parts = {"writers": [], "model": source, "priorities": priorities, **parts}
    questioner = Questioner(OCTOBER, store, **parts_of_questioner(parts))
    try:
        yield Agent(questioner, model, store, priorities)
    finally:
        await questioner.close()


def story(work: Callable[[], Any]) -> None:
    asyncio.run(asyncio.wait_for(work(), 60))


def test_a_topic_that_no_puzzle_covers_is_the_model_s_and_any_other_never_is():
    async def run() -> None:
        async with agent(writers=[solver_source()], capacity=1) as own:
            while await own.questioner.refill():
                pass
            assert [(await own.questioner.ask(topic)).proposal.proposer for topic in (None, None, SEATING)] == [
                "solver"
            ] * 3
            assert own.model.calls == 0
            served = await own.questioner.ask(f"Zoology/{INSECTS}", "medium")
            assert (served.question.topic, served.proposal.proposer) == (INSECTS, "model")

    story(run)


def test_it_says_beforehand_whether_a_topic_needs_the_model():
    async def run() -> None:
        async with agent() as own:
            needed = [own.questioner.needs_model(topic) for topic in (None, SEATING, "liars and knights", INSECTS)]
            assert needed == [False, False, False, True]
            with pytest.raises(InputError, match="topic: found 'Zoology/'"):
                own.questioner.needs_model("Zoology/")
        async with agent(topics=[Topic(SEATING), Topic(INSECTS)]) as own:
            assert own.questioner.needs_model(None)
        async with agent(model=None) as off:
            assert not off.questioner.needs_model(None)
            with pytest.raises(InputError, match=r"topic: found 'Insects'; expected one of Seating"):
                off.questioner.needs_model(INSECTS)

    story(run)


def test_what_the_gates_refuse_in_time_is_told_and_nothing_of_it_is_served():
    async def run() -> None:
        rows = ["10000000", '{"question": "cut of']

        async with agent(lambda call: rows[call] if call < 2 else good(call), refuse("the key")) as own:
            with pytest.raises(
                NotReadyError, match=r"Insects: the gates refused 300 drafts \(the key 299, not JSON 1\)"
            ):
                await own.questioner.ask(INSECTS, deadline=Deadline.never())
            assert (await own.questioner.status()).served == {}
            assert own.refusals() == {"parse": {"not JSON": 1}, "key": {"the key": 299}}

    story(run)


def test_a_draft_that_is_not_finished_in_time_is_given_up_and_the_error_says_so():
    async def run() -> None:
        async with agent(None) as own:
            with pytest.raises(NotReadyError, match="Insects was ready within the time limit: no draft was finished"):
                await own.questioner.ask(INSECTS, deadline=Deadline.after(0.2))
            assert own.model.cancelled == 1

    story(run)


@pytest.mark.parametrize("write", [None, "fails"], ids=["too slow", "its engine fails"])
def test_where_the_model_has_nothing_in_time_any_question_on_the_topic_that_waits_is_served_flagged(write: Any):
    def fail(call: int) -> Any:
        raise EngineError("out of memory")

    async def run() -> None:
        async with agent(None if write is None else fail) as own:
            await own.store.add(unproved(1, topic=INSECTS, level="easy"))
            served = await own.questioner.ask(INSECTS, "hard", deadline=Deadline.after(0.5))
            assert (served.proposal.level, served.degraded) == ("easy", True)
            with pytest.raises((NotReadyError, EngineError)):
                await own.questioner.ask(INSECTS, "hard", deadline=Deadline.after(0.5))

    story(run)


def test_a_difficulty_by_number_is_none_that_the_model_could_meet():
    async def run() -> None:
        async with agent() as own:
            with pytest.raises(InputError, match=r"difficulty: found float 5\.0; expected easy, medium, hard$"):
                await own.questioner.ask(INSECTS, 5.0)

    story(run)


def test_a_topic_that_was_asked_for_is_written_on_ahead_and_then_served_from_the_pool():
    async def run() -> None:
        async with agent() as own:
            assert await own.steps(1) == [False]
            await own.questioner.ask(INSECTS, "medium")
            # Two fill the slot, the third sees that it is full, the fourth has nothing to do.
            assert await own.steps(4) == [True, True, True, False]
            assert await own.waiting() == 2
            assert (await own.questioner.ask(INSECTS, "medium")).proposal.level == "medium"
            assert (await own.questioner.status()).served == {"fresh": 1, "pool": 1}

    story(run)


def test_the_edition_s_topics_that_no_puzzle_covers_are_written_on_before_anybody_asks_the_hard_ones_first():
    async def run() -> None:
        async with agent(topics=[Topic(SEATING), Topic(INSECTS)], capacity=1) as own:
            await own.steps(1)
            assert [(row.topic, row.level) for row in await own.store.counts()] == [(INSECTS, "hard")]

    story(run)


def test_a_model_that_writes_nothing_good_is_left_alone_after_as_many_drafts_as_the_request_earned():
    async def run() -> None:
        async with agent(lambda call: "10000000") as own:
            with pytest.raises(NotReadyError):
                await own.questioner.ask(INSECTS, deadline=Deadline.after(0.2))
            before = own.model.calls
            assert await own.steps(EARNED_DRAFTS + 2) == [True] * EARNED_DRAFTS + [False] * 2
            assert own.model.calls - before == EARNED_DRAFTS

    story(run)


def test_only_the_topics_that_were_asked_for_last_are_written_on():
    async def run() -> None:
        async with agent(capacity=1) as own:
            for number in range(MOST_EARNING + 1):
                await own.questioner.ask(f"Topic number {number}")
            while await own.questioner.refill():
                pass
            waiting = {row.topic for row in await own.store.counts() if row.waiting}
            assert waiting == {f"Topic number {number}" for number in range(1, MOST_EARNING + 1)}

    story(run)


def test_puzzles_that_are_lacking_come_before_the_model_and_harder_ones_than_those_that_wait_after_it():
    async def run() -> None:
        parts = {"writers": [solver_source()], "topics": [Topic(SEATING)], "surplus": 1}
        async with agent(capacity=1, **parts) as own:
            await own.questioner.ask(INSECTS)
            entered = []
            for _ in range(6):
                await own.steps(1)
                rows = own.questioner.gate_counts.rows()
                entered.append(next((row.entered for row in rows if (row.proposer, row.gate) == ("model", "parse")), 0))
            # Three levels lack one; a model's draft, and a look at its full slot; then a surplus one.
            assert entered == [1, 1, 1, 2, 2, 2]
            assert own.questioner.gate_counts.rows()[-1].proposer == "solver"

    story(run)


def test_a_draft_that_nobody_waits_for_ends_when_an_answer_begins_and_is_begun_again_afterwards():
    async def run() -> None:
        async with agent(None, topics=[Topic(SEATING), Topic(INSECTS)]) as own:
            with own.priorities.running(Priority.ANSWER):
                assert await own.steps(1) == [False]
                assert own.model.calls == 0
            for number in range(1, EARNED_DRAFTS + 5):
                step = asyncio.create_task(own.questioner.refill())
                await own.model.entered.wait()
                own.model.entered.clear()
                with own.priorities.running(Priority.ANSWER):
                    assert not await step
                # More of them than drafts are paid for: one that was interrupted costs nothing.
                assert own.model.calls == own.model.cancelled == number

    story(run)


def test_a_draft_that_nobody_waits_for_ends_when_somebody_asks_for_one_of_the_model_s_questions():
    async def run() -> None:
        async with agent(None, topics=[Topic(SEATING), Topic(INSECTS)]) as own:
            step = asyncio.create_task(own.questioner.refill())
            await own.model.entered.wait()
            own.model.write = good
            assert (await own.questioner.ask("Birds")).question.topic == "Birds"
            assert not await step
            assert own.model.cancelled == 1

    story(run)
