"""A server serves a member only after it has computed its probes rightly, each time it comes up."""

from __future__ import annotations

import pytest
from openai_server import Reply
from remote_fakes import PROMPT, QUICK_PROBES, MixingEngine, ask, becomes

from agents.core.errors import EngineError
from agents.engines.remote.engine import RemoteEngine

pytestmark = pytest.mark.anyio


async def check_logprobs(engine: RemoteEngine, name: str | None) -> str | None:
    found = await engine.next_token_logprobs(PROMPT, [1], name)
    return None if found == [-1.0] else f"differs by {abs(found[0] + 1.0):.3f} nats"


async def test_a_member_that_one_server_computes_wrongly_is_served_by_the_others_alone(servers, opened):
    wrong, right = servers[:2]
    for server in (wrong, right):
        server.models = {"tiny": None, "tuned": "tuned"}
    wrong.engine.wrong = {"tuned": -1.25}
    async with opened(wrong, right, adapters=["tuned"], admit=check_logprobs) as engine:
        asked = [await engine.next_token_logprobs(PROMPT, [1], "tuned") for _ in range(4)]
        assert asked == [[-1.0]] * 4
        assert engine.stats().replicas[0].serves == (None,)
        assert engine.stats().replicas[0].refused == {"tuned": "differs by 0.250 nats"}
        await engine.check_health()


async def test_a_member_that_every_server_computes_wrongly_is_refused_with_the_reasons(servers, opened):
    servers[0].models = {"tiny": None, "tuned": "tuned"}
    servers[0].engine.wrong = {"tuned": -1.25}
    async with opened(servers[0], adapters=["tuned"], admit=check_logprobs) as engine:
        assert await ask(engine) == [-1.0, -1.0]
        with pytest.raises(EngineError, match=r"no server of 'tuned' is up: .*refused 'tuned': differs by 0\.250 nats"):
            await engine.next_token_logprobs(PROMPT, [1], "tuned")
        with pytest.raises(EngineError, match="no server of 'tuned' is up"):
            await engine.check_health()


async def test_a_server_that_comes_back_is_checked_again_before_it_serves(servers, opened):
    dying, other = servers[:2]
    async with opened(dying, other, limits=QUICK_PROBES, admit=check_logprobs) as engine:
        await dying.kill()
        await becomes(lambda: not engine.stats().replicas[0].up)
        dying.engine.wrong = {None: -2.0}
        await dying.start()
        await becomes(lambda: engine.stats().replicas[0].up)
        assert engine.stats().replicas[0].refused == {None: "differs by 1.000 nats"}
        assert [await ask(engine) for _ in range(4)] == [[-1.0, -1.0]] * 4


async def test_a_server_that_cannot_be_checked_stays_down(servers, opened):
    failing, other = servers[:2]
    failing.reply = Reply(b"", 500)
    async with opened(failing, other, admit=check_logprobs) as engine:
        assert [replica.up for replica in engine.stats().replicas] == [False, True]
        assert "HTTP 500" in engine.stats().replicas[0].reason


async def test_a_check_that_breaks_keeps_its_server_down(servers, opened):
    servers[0].engine.logprob = -2.0

    async def broken(engine: RemoteEngine, name: str | None) -> str | None:
        found = await engine.next_token_logprobs(PROMPT, [1], name)
        if found == [-2.0]:
            raise ZeroDivisionError("division by zero")
        return None

    async with opened(*servers[:2], admit=broken) as engine:
        assert [replica.reason for replica in engine.stats().replicas] == ["division by zero", None]


async def test_a_server_that_computes_the_base_with_a_busy_adapter_does_not_serve_it(servers, opened):
    mixing, right = servers[:2]
    mixing.engine = MixingEngine(wrong={"tuned": -1.25})
    for server in (mixing, right):
        server.models, server.parents = {"tiny": None, "tuned": "tuned"}, {"tuned": "tiny"}
    async with opened(mixing, right, others=["tuned"], admit=check_logprobs) as engine:
        refused = [replica.refused for replica in engine.stats().replicas]
        assert refused == [{None: "differs by 0.250 nats"}, {}]
        assert [await ask(engine) for _ in range(4)] == [[-1.0, -1.0]] * 4
    assert mixing.engine.busy is None


async def test_the_same_server_serves_the_base_where_nobody_asks_its_adapter(servers, opened):
    servers[0].engine = MixingEngine(wrong={"tuned": -1.25})
    servers[0].models, servers[0].parents = {"tiny": None, "tuned": "tuned"}, {"tuned": "tiny"}
    async with opened(servers[0], admit=check_logprobs) as engine:
        assert engine.stats().replicas[0].refused == {}
        assert await ask(engine) == [-1.0, -1.0]


async def test_the_base_is_checked_again_when_a_server_gets_an_adapter_of_the_ensemble(servers, opened):
    server = servers[0]
    server.engine = MixingEngine(wrong={"tuned": -1.25})
    async with opened(server, others=["tuned"], limits=QUICK_PROBES, admit=check_logprobs) as engine:
        assert await ask(engine) == [-1.0, -1.0]
        server.models, server.parents = {"tiny": None, "tuned": "tuned"}, {"tuned": "tiny"}
        await becomes(lambda: engine.stats().replicas[0].refused == {None: "differs by 0.250 nats"})
