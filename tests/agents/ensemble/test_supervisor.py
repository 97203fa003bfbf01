"""An engine that dies is dropped, opened again with longer and longer pauses, and checked before it serves again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from agent_fakes import ScriptedEngine, letter_member

from agents.core.errors import EngineError, InputError
from agents.core.manifest import NextTokenProbe
from agents.engines.protocol import Engine
from agents.ensemble.placement import EngineSpec, Open
from agents.ensemble.supervisor import CHECK_SECONDS, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, EngineSupervisor

PROBE = NextTokenProbe(prompt=[1], candidates=[65, 66], logprobs=[-1.0, -1.0])
MEMBER = letter_member("tuned", probes=[PROBE])


class MortalEngine(ScriptedEngine):
    """Healthy until ``dead`` is set. ``hung``: a health check never ends. ``surprise``: what it raises."""

    dead = False
    hung = False
    surprise: Exception | None = None

    async def check_health(self) -> None:
        if self.hung:
            await asyncio.Event().wait()
        if self.surprise is not None:
            raise self.surprise
        if self.dead:
            raise EngineError("its process ended")


class UnclosableEngine(MortalEngine):
    async def close(self) -> None:
        raise RuntimeError("no such process")


class RoundingEngine(ScriptedEngine):
    """Computes the adapters in ``off`` a nat too low."""

    def __init__(self, *off: str) -> None:
        super().__init__(dtype="bfloat16")
        self.off = off

    async def next_token_logprobs(
        self, prompt: Sequence[int], candidates: Sequence[int], adapter: str | None = None
    ) -> list[float]:
        return [-2.0 if adapter in self.off else -1.0] * len(candidates)


class Ward:
    """A supervisor on engines that a test makes, and a clock that only counts what was slept."""

    def __init__(self, *openings: Engine | Exception) -> None:
        self.openings = list(openings)
        self.slept: list[float] = []
        self.changes: list[int] = []
        self.asleep = asyncio.Semaphore(0)
        self.wake = asyncio.Semaphore(0)
        spec = EngineSpec("base", [MEMBER], {"tuned": None}, [self.opener()])
        self.supervisor = EngineSupervisor(
            spec, lambda: self.changes.append(len(self.supervisor.voters)), self.sleep, health_timeout_s=0.05
        )

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
    await ward.supervisor.open()
    ward.supervisor.watch()
    await ward.until_asleep()


def test_a_healthy_engine_is_left_alone() -> None:
    async def story() -> None:
        ward = Ward(MortalEngine())
        await watched(ward)
        await ward.pass_time()
        assert ward.slept == [CHECK_SECONDS, CHECK_SECONDS]
        assert ward.changes == []
        await ward.supervisor.close()

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
        assert [(s.ready, s.reason) for s in ward.supervisor.statuses] == [(False, "its process ended")]
        await ward.pass_time()
        assert ward.changes == [0, 1]
        assert ward.supervisor.engine is second
        assert [(s.ready, s.reason) for s in ward.supervisor.statuses] == [(True, None)]
        assert ward.slept == [CHECK_SECONDS, FIRST_PAUSE_SECONDS, CHECK_SECONDS]
        await ward.supervisor.close()
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
        assert ward.supervisor.statuses[0].reason == "no memory"
        await ward.pass_time()
        assert ward.supervisor.statuses[0].ready
        assert ward.supervisor.restarts == failures + 1
        await ward.supervisor.close()

    asyncio.run(story())


def test_an_engine_that_comes_back_with_other_numbers_does_not_serve() -> None:
    async def story() -> None:
        first, changed = MortalEngine(), MortalEngine(logprob=-2.0)
        ward = Ward(first, changed)
        await watched(ward)
        first.dead = True
        await ward.pass_time()
        await ward.pass_time()
        assert ward.supervisor.voters == []
        assert "differs from its golden probes by 1.0000 nats" in str(ward.supervisor.statuses[0].reason)
        await ward.supervisor.close()

    asyncio.run(story())


def test_an_engine_that_did_not_start_is_tried_again() -> None:
    async def story() -> None:
        ward = Ward(EngineError("no device"), MortalEngine())
        with pytest.raises(EngineError):
            await ward.supervisor.open()
        ward.supervisor.fail("no device")
        ward.supervisor.watch()
        await ward.until_asleep()
        await ward.pass_time()
        await ward.pass_time()
        assert ward.supervisor.statuses[0].ready
        await ward.supervisor.close()

    asyncio.run(story())


def test_an_error_nobody_expected_is_a_reason_and_not_the_end_of_the_watch() -> None:
    async def story() -> None:
        first = MortalEngine()
        ward = Ward(first, ValueError("surprise"), InputError("disk", "full", "room"), MortalEngine())
        await watched(ward)
        first.dead = True
        await ward.pass_time()
        await ward.pass_time()
        assert ward.supervisor.statuses[0].reason == "unexpected ValueError at its start"
        await ward.pass_time()
        assert ward.supervisor.statuses[0].reason == "disk: found full; expected room"
        await ward.pass_time()
        assert ward.supervisor.statuses[0].ready
        await ward.supervisor.close()

    asyncio.run(story())


def test_an_engine_that_does_not_answer_a_health_check_counts_as_dead() -> None:
    async def story() -> None:
        first, second = MortalEngine(), MortalEngine()
        ward = Ward(first, second)
        await watched(ward)
        first.hung = True
        await ward.pass_time()
        assert ward.supervisor.statuses[0].reason == "no answer to a health check within 0.05 s"
        await ward.pass_time()
        assert ward.supervisor.engine is second
        await ward.supervisor.close()

    asyncio.run(story())


def test_an_unexpected_error_of_a_health_check_counts_as_death() -> None:
    async def story() -> None:
        first, second = MortalEngine(), MortalEngine()
        ward = Ward(first, second)
        await watched(ward)
        first.surprise = OSError("bad file descriptor")
        await ward.pass_time()
        assert ward.supervisor.statuses[0].reason == "unexpected OSError at its health check: bad file descriptor"
        await ward.pass_time()
        assert ward.supervisor.engine is second
        await ward.supervisor.close()

    asyncio.run(story())


def test_a_dead_engine_that_cannot_be_closed_is_opened_again_all_the_same() -> None:
    async def story() -> None:
        first, second = UnclosableEngine(), MortalEngine()
        ward = Ward(first, second)
        await watched(ward)
        first.dead = True
        await ward.pass_time()  # dropped, and the watch goes on
        await ward.pass_time()  # it looks again and finds nothing that runs
        await ward.pass_time()
        assert ward.supervisor.engine is second
        assert ward.supervisor.statuses[0].ready
        await ward.supervisor.close()

    asyncio.run(story())


def two_precisions(fast: list[Engine], exact: Engine | Exception) -> EngineSupervisor:
    """A supervisor of two members; its first opener takes one engine after the other from ``fast``."""

    async def open_fast() -> Engine:
        return fast.pop(0)

    async def open_exact() -> Engine:
        if isinstance(exact, Exception):
            raise exact
        return exact

    members = [letter_member(name, probes=[PROBE]) for name in ("sound", "rough")]
    adapters = {member.name: member.name for member in members}
    return EngineSupervisor(EngineSpec("base", members, adapters, [open_fast, open_exact]), lambda: None)


def test_a_precision_that_misses_a_probe_gives_way_to_the_exact_one() -> None:
    fast, exact = RoundingEngine("rough"), ScriptedEngine()
    supervisor = two_precisions([fast], exact)
    asyncio.run(supervisor.open())
    assert fast.closed
    assert supervisor.engine is exact
    assert [status.ready for status in supervisor.statuses] == [True, True]


def test_where_the_exact_engine_does_not_open_the_one_before_serves_whoever_passed() -> None:
    first, again = RoundingEngine("rough"), RoundingEngine("rough")
    supervisor = two_precisions([first, again], EngineError("no room for 8 GB"))
    asyncio.run(supervisor.open())
    assert first.closed
    assert supervisor.engine is again
    assert not again.closed
    assert [voter.member.name for voter in supervisor.voters] == ["sound"]
    sound, rough = supervisor.statuses
    assert sound.ready
    assert (rough.ready, rough.reason) == (
        False,
        "differs from its golden probes by 1.0000 nats; the tolerance in bfloat16 is 0.05; then no room for 8 GB",
    )


def test_nothing_is_opened_again_for_nobody() -> None:
    first = RoundingEngine("sound", "rough")
    supervisor = two_precisions([first], EngineError("no room for 8 GB"))
    with pytest.raises(EngineError, match="no room for 8 GB"):
        asyncio.run(supervisor.open())
    assert first.closed
    assert supervisor.engine is None


def test_probes_that_never_end_are_given_up_and_the_engine_is_closed() -> None:
    engine = ScriptedEngine(hanging={"tuned"})

    async def open_it() -> Engine:
        return engine

    spec = EngineSpec("base", [MEMBER], {"tuned": "tuned"}, [open_it])
    supervisor = EngineSupervisor(spec, lambda: None, probe_timeout_s=0.05)
    with pytest.raises(EngineError, match=r"base: its golden probes were not computed within 0\.05 s"):
        asyncio.run(supervisor.open())
    assert engine.closed
