"""A server serves a member only after it has computed its probes rightly, each time it comes up."""

from __future__ import annotations

import pytest
from openai_server import Reply
from remote_fakes import PROMPT, QUICK_PROBES, ask, becomes

from agents.engines.remote import RemoteEngine
from agents.errors import EngineError

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
