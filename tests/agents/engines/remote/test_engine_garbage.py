"""Servers that answer garbage: each answer ends on another server, or in one error that says what was found."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from openai_server import OpenAIServer, Reply
from remote_fakes import PROMPT, FlatEngine, ask

from agents.core.errors import EngineError
from agents.engines.remote.config import RemoteLimits

pytestmark = pytest.mark.anyio


def completion(**choice: Any) -> bytes:
    return json.dumps({"choices": [{"finish_reason": "length", **choice}]}).encode()


def logprobs(**table: float) -> bytes:
    return completion(logprobs={"top_logprobs": [{f"token_id:{name[1:]}": value for name, value in table.items()}]})


GARBAGE = {
    "an HTML page": (Reply(b"<html>502 Bad Gateway</html>"), "a body that is not JSON: '<html>502 Bad Gateway</html>'"),
    "nothing": (Reply(b""), "a body that is not JSON"),
    "null": (Reply(b"null"), "JSON of another shape"),
    "cut off": (Reply(logprobs(t1=-1.0, t2=-1.0)[:-9]), "a body that is not JSON"),
    "no choices": (Reply(b'{"choices": []}'), r"JSON of another shape \(choices: "),
    "deeply nested": (Reply(b"[" * 100_000), "a body that is not JSON|another shape"),
    "not UTF-8": (Reply(b'{"choices": "\xff\xfe"}'), "a body that is not JSON"),
    "no logprobs": (Reply(completion()), "an answer without logprobs"),
    "a missing candidate": (Reply(logprobs(t1=-1.0)), "no log-prob of token_id:2 among the 1 in the answer"),
    "NaN": (Reply(logprobs(t1=-1.0, t2=float("nan"))), "token_id:2: input should be a finite number"),
    "minus infinity": (Reply(logprobs(t1=-1.0, t2=float("-inf"))), "token_id:2: input should be a finite number"),
    "a probability": (Reply(logprobs(t1=-1.0, t2=0.7)), "token_id:2: input should be less than or equal to 0.01"),
    "another end": (Reply(completion(finish_reason="abort")), "finish_reason: input should be 'stop' or 'length'"),
    "a redirect": (Reply(b"", 307, {"location": "http://127.0.0.1:9/"}), "HTTP 307"),
    "a crash": (Reply(b'{"error": {"message": "EngineCore died"}}', 500), "HTTP 500: 'EngineCore died'"),
    "a model it lost": (Reply(b'{"error": {"message": "no such model"}}', 404), "HTTP 404: 'no such model'"),
    "another key": (Reply(b'{"error": "Unauthorized"}', 401), "HTTP 401"),
    "a huge body": (Reply(b" " * 200_000), "a body over 100,000 bytes"),
    "a compressed body": (Reply(b"x", headers={"content-encoding": "gzip"}), "content encoding 'gzip'"),
}


@pytest.mark.parametrize(("reply", "found"), GARBAGE.values(), ids=GARBAGE)
async def test_garbage_is_one_error_that_names_the_server_and_what_was_found(servers, opened, reply, found):
    server = servers[0]
    server.reply = reply
    limits = RemoteLimits(first_backoff_s=1000, max_backoff_s=1000, max_response_bytes=100_000)
    async with opened(server, limits=limits) as engine:
        with pytest.raises(EngineError, match=found) as caught:
            await ask(engine)
        assert str(caught.value).startswith(server.url)
        assert "\n" not in str(caught.value)
        with pytest.raises(EngineError, match=f"no server of the base model is up: {server.url}: "):
            await ask(engine)
        with pytest.raises(EngineError, match="no server of the base model is up"):
            await engine.check_health()


@pytest.mark.parametrize("reply", [reply for reply, _ in GARBAGE.values()], ids=GARBAGE)
async def test_after_garbage_the_next_server_answers(servers, opened, reply):
    lying, honest = servers[:2]
    lying.reply = reply
    limits = RemoteLimits(first_backoff_s=1000, max_backoff_s=1000, max_response_bytes=100_000)
    async with opened(lying, honest, limits=limits) as engine:
        assert await asyncio.gather(*(ask(engine) for _ in range(4))) == [[-1.0, -1.0]] * 4
        assert [replica.up for replica in engine.stats().replicas] == [False, True]


@pytest.mark.parametrize(
    ("choice", "found"),
    [
        ({"prompt_logprobs": None}, "0 prompt log-probs for a prompt of 4 tokens"),
        ({"prompt_logprobs": [None] * 4}, "no log-prob of token 8 at position 3"),
        ({"prompt_logprobs": [None, *({str(t): {"logprob": -1.0}} for t in (6, 7, 9))]}, "no log-prob of token 8"),
    ],
)
async def test_prompt_log_probs_of_other_tokens_are_garbage(servers, opened, choice, found):
    servers[0].reply = Reply(completion(logprobs={"top_logprobs": [{"token_id:9": -1.0}]}, **choice))
    async with opened(servers[0]) as engine:
        with pytest.raises(EngineError, match=found):
            await engine.continuation_logprobs(PROMPT, [[8, 9]])


async def test_a_generation_without_token_ids_is_garbage(servers, opened):
    servers[0].reply = Reply(completion(text="hello"))
    async with opened(servers[0]) as engine:
        with pytest.raises(EngineError, match="an answer without token_ids"):
            await engine.generate(PROMPT, max_tokens=3)


async def test_what_is_not_http_is_a_failed_connection(opened, servers):
    asked = 0

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        writer.close()

    listener = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    babbling = OpenAIServer(FlatEngine(), {}, port=port)
    async with opened(babbling, servers[0]) as engine:
        assert engine.stats().replicas[0].reason.startswith("a failed connection")
        assert await ask(engine) == [-1.0, -1.0]
    listener.close()
    assert asked == 1
