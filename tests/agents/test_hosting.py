"""An engine that dies is dropped, opened again with longer and longer pauses, and checked before it serves again."""

from __future__ import annotations

import asyncio

import pytest
from agent_fakes import ScriptedEngine, letter_member

from agents.engines.protocol import Engine
from agents.errors import EngineError, InputError
from agents.hosting import CHECK_SECONDS, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Host
from agents.manifest import NextTokenProbe
from agents.placement import EngineSpec, Open

PROBE = NextTokenProbe(prompt=[1], candidates=[65, 66], logprobs=[-1.0, -1.0])
MEMBER = letter_member("tuned", probes=[PROBE])


class MortalEngine(ScriptedEngine):
    """Healthy until ``dead`` is set."""

    dead = False

    async def check_health(self) -> None:
        if self.dead:
            raise EngineError("its process ended")


class Ward:
    """A host on engines that a test makes, and a clock that only counts what was slept."""

    def __init__(self, *openings: Engine | Exception) -> None:
        self.openings = list(openings)
        self.slept: list[float] = []
        self.changes: list[int] = []
        self.asleep = asyncio.Semaphore(0)
        self.wake = asyncio.Semaphore(0)
        spec = EngineSpec("base", [MEMBER], {"tuned": None}, [self.opener()])
        self.host = Host(spec, lambda: self.changes.append(len(self.host.voters)), self.sleep)

    def opener(self) -> Open:
        async def open_next() -> Engine:
            opening = self.openings.pop(0)
            if isinstance(opening, Exception):
                raise opening
            return opening

        return open_next

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.asleep.release()
        await self.wake.acquire()

    async def until_asleep(self) -> None:
        """Until the watcher has done all it had to do and sleeps."""
        await asyncio.wait_for(self.asleep.acquire(), 10)

    async def pass_time(self) -> None:
        """One sleep ends; returns when the next one has begun."""
        self.wake.release()
        await self.until_asleep()


async def watched(ward: Ward) -> None:
    await ward.host.open()
    ward.host.watch()
    await ward.until_asleep()


def test_a_healthy_engine_is_left_alone() -> None:
    async def story() -> None:
        ward = Ward(MortalEngine())
        await watched(ward)
        await ward.pass_time()
        assert ward.slept == [CHECK_SECONDS, CHECK_SECONDS]
        assert ward.changes == []
        await ward.host.close()

    asyncio.run(story())


def test_a_dead_engine_loses_its_members_and_gets_them_back_when_it_is_well() -> None:
    async def story() -> None:
        first, second = MortalEngine(), MortalEngine()
        ward = Ward(first, second)
        await watched(ward)
        first.dead = True
        await ward.pass_time()
        assert first.closed
        assert ward.changes == [0]
        assert [(s.ready, s.reason) for s in ward.host.statuses] == [(False, "its process ended")]
        await ward.pass_time()
        assert ward.changes == [0, 1]
        assert ward.host.engine is second
        assert [(s.ready, s.reason) for s in ward.host.statuses] == [(True, None)]
        assert ward.slept == [CHECK_SECONDS, FIRST_PAUSE_SECONDS, CHECK_SECONDS]
        await ward.host.close()
        assert second.closed

    asyncio.run(story())


def test_pauses_double_up_to_a_longest_one() -> None:
    failures = 8

    async def story() -> None:
        first = MortalEngine()
        ward = Ward(first, *[EngineError("no memory")] * failures, MortalEngine())
        await watched(ward)
        first.dead = True
        for _ in range(failures + 1):
            await ward.pass_time()
        assert ward.slept[1:] == [min(2.0**i, LONGEST_PAUSE_SECONDS) for i in range(failures + 1)]
        assert ward.host.statuses[0].reason == "no memory"
        await ward.pass_time()
        assert ward.host.statuses[0].ready
        assert ward.host.restarts == failures + 1
        await ward.host.close()

    asyncio.run(story())


def test_an_engine_that_comes_back_with_other_numbers_does_not_serve() -> None:
    async def story() -> None:
        first, changed = MortalEngine(), MortalEngine(logprob=-2.0)
        ward = Ward(first, changed)
        await watched(ward)
        first.dead = True
        await ward.pass_time()
        await ward.pass_time()
        assert ward.host.voters == []
        assert "differs from its golden probes by 1.0000 nats" in str(ward.host.statuses[0].reason)
        await ward.host.close()

    asyncio.run(story())


def test_an_engine_that_did_not_start_is_tried_again() -> None:
    async def story() -> None:
        ward = Ward(EngineError("no device"), MortalEngine())
        with pytest.raises(EngineError):
            await ward.host.open()
        ward.host.fail("no device")
        ward.host.watch()
        await ward.until_asleep()
        await ward.pass_time()
        await ward.pass_time()
        assert ward.host.statuses[0].ready
        await ward.host.close()

    asyncio.run(story())


def test_an_error_nobody_expected_is_a_reason_and_not_the_end_of_the_watch() -> None:
    async def story() -> None:
        first = MortalEngine()
        ward = Ward(first, ValueError("surprise"), InputError("disk", "full", "room"), MortalEngine())
        await watched(ward)
        first.dead = True
        await ward.pass_time()
        await ward.pass_time()
        assert ward.host.statuses[0].reason == "unexpected ValueError at its start"
        await ward.pass_time()
        assert ward.host.statuses[0].reason == "disk: found full; expected room"
        await ward.pass_time()
        assert ward.host.statuses[0].ready
        await ward.host.close()

    asyncio.run(story())
