"""Several servers behind one remote engine: over real HTTP, with servers that die, hang and come back."""

from __future__ import annotations

import asyncio
import time

import pytest
from openai_server import Reply
from remote_fakes import PROMPT, QUICK_PROBES, ask, becomes

from agents.core.errors import EngineError
from agents.engines.remote.config import RemoteLimits
from agents.engines.remote.engine import RemoteEngine

pytestmark = pytest.mark.anyio


async def test_servers_with_nothing_to_do_take_turns(servers, opened):
    async with opened(*servers) as engine:
        for _ in range(9):
            await ask(engine)
    assert [len(server.requests) for server in servers] == [3, 3, 3]


async def test_the_server_with_the_fewest_requests_outstanding_is_asked(servers, opened):
    busy, idle = servers[:2]
    busy.gate = asyncio.Event()
    async with opened(busy, idle) as engine:
        held = [ask(engine), ask(engine)]
        await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED)
        await busy.entered.wait()
        for _ in range(5):
            await ask(engine)
        assert (len(busy.requests), len(idle.requests)) == (1, 6)
        assert [replica.outstanding for replica in engine.stats().replicas] == [1, 0]
        busy.gate.set()
        await asyncio.gather(*held)
        assert [replica.outstanding for replica in engine.stats().replicas] == [0, 0]


async def test_a_server_killed_in_the_middle_of_load_fails_no_request(servers, opened):
    dying = servers[0]
    async with opened(*servers) as engine:
        for server in servers:
            server.gate = asyncio.Event()
        load = [ask(engine) for _ in range(60)]
        await becomes(lambda: all(len(server.requests) == 20 for server in servers))
        await dying.kill()
        for server in servers:
            server.gate.set()
        load += [ask(engine) for _ in range(60)]
        assert await asyncio.gather(*load) == [[-1.0, -1.0]] * 120
        assert [replica.up for replica in engine.stats().replicas] == [False, True, True]
        assert engine.stats().retried >= 20
        await engine.check_health()


async def test_a_server_that_comes_back_is_used_again(servers, opened):
    dying, other = servers[:2]
    async with opened(dying, other, limits=QUICK_PROBES) as engine:
        await dying.kill()
        await becomes(lambda: not engine.stats().replicas[0].up)
        assert await ask(engine) == [-1.0, -1.0]
        await dying.start()
        await becomes(lambda: engine.stats().replicas[0].up)
        seen = len(dying.requests)
        await ask(engine)
        await ask(engine)
        assert len(dying.requests) == seen + 1


async def test_a_server_that_says_it_is_not_healthy_is_left_alone_until_it_is(servers, opened):
    sick, other = servers[:2]
    async with opened(sick, other, limits=QUICK_PROBES) as engine:
        sick.healthy = False
        await becomes(lambda: not engine.stats().replicas[0].up)
        assert engine.stats().replicas[0].reason.startswith("HTTP 503")
        for _ in range(4):
            await ask(engine)
        assert (len(sick.requests), len(other.requests)) == (0, 4)
        sick.healthy = True
        await becomes(lambda: engine.stats().replicas[0].up)


async def test_a_server_that_comes_back_with_other_models_gets_no_request_for_those_it_lost(servers, opened):
    changing, other = servers[:2]
    async with opened(changing, other, limits=QUICK_PROBES) as engine:
        changing.models = {"llama": None, "mistral": None}
        await becomes(lambda: engine.stats().replicas[0].serves == ())
        for _ in range(4):
            await ask(engine)
        assert changing.requests == []


async def test_a_server_that_hangs_is_given_up_and_the_next_one_asked(servers, opened):
    hanging, other = servers[:2]
    hanging.gate = asyncio.Event()
    limits = RemoteLimits(request_timeout_s=0.2, first_backoff_s=1000, max_backoff_s=1000)
    async with opened(hanging, other, limits=limits) as engine:
        assert await asyncio.gather(ask(engine), ask(engine)) == [[-1.0, -1.0]] * 2
        assert engine.stats().replicas[0].reason == "no answer within 0.2 s"
        await hanging.disconnected.wait()


async def test_a_server_that_hangs_until_a_deadline_cancels_is_not_taken_for_idle(servers, opened):
    hanging, other = servers[:2]
    hanging.gate = asyncio.Event()
    limits = RemoteLimits(stall_s=0.0, first_backoff_s=1000, max_backoff_s=1000)
    async with opened(hanging, other, limits=limits) as engine:
        calls = [ask(engine), ask(engine)]
        await hanging.entered.wait()
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert [replica.up for replica in engine.stats().replicas] == [False, True]
        assert engine.stats().replicas[0].reason.startswith("no answer to anybody")


async def test_the_last_server_is_not_given_up_for_being_slow(servers, opened):
    servers[0].gate = asyncio.Event()
    async with opened(servers[0], limits=RemoteLimits(stall_s=0.0)) as engine:
        call = ask(engine)
        await servers[0].entered.wait()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert engine.stats().replicas[0].up


async def test_a_connection_that_was_closed_while_idle_is_opened_again(servers, opened):
    server = servers[0]
    async with opened(server) as engine:
        await ask(engine)
        await server.kill()
        await server.start()
        assert await ask(engine) == [-1.0, -1.0]
        assert engine.stats().replicas[0].up


async def warm_up(engine: RemoteEngine) -> None:
    for _ in range(20):
        await ask(engine)


async def test_a_slow_request_is_sent_to_a_second_server_and_the_first_good_answer_wins(servers, opened):
    other, slow = servers[:2]
    async with opened(other, slow, hedge=True) as engine:
        await warm_up(engine)
        slow.gate = asyncio.Event()
        slow.entered.clear()
        # They take turns, so this one begins at the slow one.
        assert await ask(engine) == [-1.0, -1.0]
        await slow.disconnected.wait()
        assert slow.entered.is_set()
        assert engine.stats().hedged == 1
        assert [replica.up for replica in engine.stats().replicas] == [True, True]


async def test_when_the_second_server_fails_the_slow_one_may_still_answer(servers, opened):
    failing, slow = servers[:2]
    async with opened(failing, slow, hedge=True) as engine:
        await warm_up(engine)
        slow.gate = asyncio.Event()
        failing.reply = Reply(b"", 500)
        call = ask(engine)
        await becomes(lambda: not engine.stats().replicas[0].up)
        slow.gate.set()
        assert await call == [-1.0, -1.0]
        assert (engine.stats().hedged, engine.stats().retried) == (1, 0)


async def test_when_everything_is_slow_few_requests_are_sent_twice(servers, opened):
    async with opened(*servers, hedge=True) as engine:
        await warm_up(engine)
        before = sum(len(server.requests) for server in servers)
        for server in servers:
            server.gate = asyncio.Event()
        load = [ask(engine) for _ in range(9)]
        await becomes(lambda: sum(len(server.requests) for server in servers) == before + 10)
        for server in servers:
            server.gate.set()
        assert len(await asyncio.gather(*load)) == 9
        assert engine.stats().hedged == 1


async def test_without_hedging_a_slow_request_is_sent_once(servers, opened):
    async with opened(*servers[:2]) as engine:
        await warm_up(engine)
        for server in servers[:2]:
            server.gate = asyncio.Event()
            server.entered.clear()
        call = ask(engine)
        await becomes(lambda: any(server.entered.is_set() for server in servers))
        for server in servers[:2]:
            server.gate.set()
        await call
        assert sum(len(server.requests) for server in servers) == 21


async def test_cancelling_a_call_closes_its_connections(servers, opened):
    server = servers[0]
    server.gate = asyncio.Event()
    async with opened(server) as engine:
        call = asyncio.create_task(engine.next_token_logprobs(PROMPT, list(range(200))))
        await becomes(lambda: len(server.requests) == 2)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await server.disconnected.wait()
        assert engine.stats().replicas[0].outstanding == 0


async def test_calls_that_wait_when_the_engine_closes_end_with_an_error(servers, opened):
    server = servers[0]
    server.gate = asyncio.Event()
    async with opened(server) as engine:
        call = ask(engine)
        await server.entered.wait()
        await engine.close()
        with pytest.raises(EngineError, match="the engine is closed"):
            await call
        await server.disconnected.wait()


async def test_more_requests_than_connections_wait_and_are_all_answered(servers, opened):
    server = servers[0]
    async with opened(server, limits=RemoteLimits(concurrency=4)) as engine:
        server.gate = asyncio.Event()
        load = [ask(engine) for _ in range(50)]
        await becomes(lambda: len(server.requests) == 4)
        assert engine.stats().replicas[0].outstanding == 50
        server.gate.set()
        assert len(await asyncio.gather(*load)) == 50


async def test_stats_say_how_every_server_is_doing(servers, opened):
    good, bad = servers[:2]
    bad.reply = Reply(b"", 500)
    async with opened(good, bad) as engine:
        started = time.perf_counter()
        for _ in range(5):
            await ask(engine)
        elapsed_ms = (time.perf_counter() - started) * 1000
        stats = engine.stats()
    first, second = stats.replicas
    assert (first.url, first.up, first.reason, first.serves, first.answered) == (good.url, True, None, (None,), 5)
    assert 0 < first.p50_ms <= first.p95_ms <= elapsed_ms
    assert (second.up, second.failures, second.answered, second.p50_ms) == (False, 1, 0, None)
    assert second.reason.startswith("HTTP 500")
    assert (stats.retried, stats.hedged) == (1, 0)


async def test_a_server_that_still_starts_is_waited_for(servers, opened):
    starting = servers[0]
    starting.healthy = False

    async def finish() -> None:
        await becomes(lambda: starting.probes >= 3)
        starting.healthy = True

    finishing = asyncio.create_task(finish())
    async with opened(starting, limits=QUICK_PROBES, startup_timeout_s=10) as engine:
        assert await ask(engine) == [-1.0, -1.0]
    await finishing
