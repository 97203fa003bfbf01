"""Many questions at once: each waits for its turn until its own deadline, and is asked again while time is left.

The organisers allow N × the limit for N questions, so number i is due after (i + 1) × the limit. A busy engine that has
no time for a question now may have it later. So a question is not given up before its deadline, and the cost model
chooses how many are asked at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from agents.answering.answerer import Answerer, AnswerResult
from agents.core.deadline import Deadline
from agents.core.schema import Question
from agents.support.concurrency import cancel_all

Done = Callable[[int, "BatchAnswer"], None]
Ask = Callable[[Question, Deadline], Awaitable[AnswerResult]]
ROUNDS = 5
"""Rounds over what no member answered. Each costs a failing engine little; a slow one is stopped by the deadline."""
PAUSE_S = 0.25
"""Before the second round in a row without a vote; doubled before each further one. An engine may come back."""
LOOK_AGAIN_S = 0.05, 0.5
"""How long a question waits, at least and at most, until it is looked at again: predictions change meanwhile."""


@dataclass(frozen=True)
class BatchAnswer:
    """An answer and the deadline it had: a later one than its first when it was asked again."""

    result: AnswerResult
    deadline: Deadline


class BatchAnswerer:
    """Answers lists of questions, at most ``size`` at a time. ``ask`` is ``answerer.answer`` or what wraps it."""

    def __init__(self, answerer: Answerer, size: int, ask: Ask | None = None) -> None:
        self._answerer = answerer
        self._size = size
        self._ask = ask or answerer.answer

    async def answer(
        self,
        questions: Sequence[Question],
        deadlines: Sequence[Deadline],
        done: Done = lambda place, answer: None,
    ) -> list[BatchAnswer]:
        """An answer to each of ``questions``; ``deadlines``, one each, do not fall. ``done`` is told of each.

        What no member answered is asked again, with the times of a batch that begins then, until the last deadline.
        Without any vote the answer is the prior's. Cancelling stops all work.
        """
        if not questions:
            return []
        clock, last = deadlines[0].clock, deadlines[-1]
        started_s = clock()
        found: list[BatchAnswer | None] = [None] * len(questions)
        open_places, times = list(range(len(questions))), list(deadlines)
        fruitless = 0
        for _ in range(ROUNDS):
            await self._round(questions, open_places, times, found, done)
            left = [place for place in open_places if not _has_vote(found[place])]
            fruitless = fruitless + 1 if len(left) == len(open_places) else 0
            open_places = left
            pause_s = PAUSE_S * 2 ** (fruitless - 1) if fruitless else 0.0
            if not open_places or pause_s >= last.remaining_s():
                break
            await asyncio.sleep(pause_s)
            delay_s = clock() - started_s
            times = [replace(d, at_s=min(d.at_s + delay_s, last.at_s)) for d in deadlines[: len(open_places)]]
        for place in open_places:
            answer = found[place] or BatchAnswer(await self._ask(questions[place], last), last)
            found[place] = answer
            done(place, answer)
        return [answer for answer in found if answer is not None]

    async def _round(
        self,
        questions: Sequence[Question],
        places: Sequence[int],
        deadlines: Sequence[Deadline],
        found: list[BatchAnswer | None],
        done: Done,
    ) -> None:
        """Ask the questions at ``places`` in order; those whose turn did not come in time are left as they are."""
        running: set[asyncio.Task[None]] = set()

        async def one(place: int, deadline: Deadline) -> None:
            answer = BatchAnswer(await self._ask(questions[place], deadline), deadline)
            found[place] = answer
            if _has_vote(answer):
                done(place, answer)

        try:
            for place, deadline in zip(places, deadlines, strict=True):
                running = await self._turn(running, questions[place], deadline)
                if not deadline.expired:
                    running.add(asyncio.create_task(one(place, deadline)))
                    # Its steps count as queued once it has begun, and the next question is judged by that.
                    await asyncio.sleep(0)
            while running:
                running = await _next(running, None)
        finally:
            await cancel_all(running)

    async def _turn(
        self, running: set[asyncio.Task[None]], question: Question, deadline: Deadline
    ) -> set[asyncio.Task[None]]:
        """Wait until ``question`` may be asked, or its deadline; returns what still runs."""
        while not deadline.expired:
            limit_s = deadline.remaining_s()
            if len(running) < self._size:
                # What other answers can spare is for single questions: a batch has time to wait.
                wait_s = self._answerer.shortfall_s(question, deadline, spares=False)
                if wait_s <= 0:
                    break
                limit_s = min(limit_s, max(wait_s, LOOK_AGAIN_S[0]), LOOK_AGAIN_S[1])
            if running:
                running = await _next(running, limit_s)
            else:
                await asyncio.sleep(limit_s)
        return running


async def _next(running: set[asyncio.Task[None]], limit_s: float | None) -> set[asyncio.Task[None]]:
    """Wait until one of ``running`` ends, or ``limit_s``; returns the others. Raises what one raised."""
    timeout = None if limit_s is None or limit_s == float("inf") else limit_s
    done, running = await asyncio.wait(running, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return running


def _has_vote(answer: BatchAnswer | None) -> bool:
    return answer is not None and any(report.vote is not None for report in answer.result.members)
