"""A small OpenAI-compatible server over any engine: real HTTP on loopback, with vLLM 0.32's fields, limits and errors.

It can be held, made to answer anything at all, killed and started again on its port.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from agents.core.errors import EngineError
from agents.engines.protocol import Engine

MAX_LOGPROB_TOKEN_IDS = 128


class BadRequestError(Exception):
    """What vLLM answers with HTTP 400."""


@dataclass(frozen=True)
class Reply:
    """An answer given whatever was asked."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})


@dataclass(eq=False)
class OpenAIServer:
    """``models``: the ids it lists, and the engine's adapter behind each. ``parents``: the base of an adapter's id.

    ``gate``: completions wait for it. ``reply`` replaces every completion. ``entered`` is set by the first completion,
    ``disconnected`` when a client leaves while one waits.
    """

    engine: Engine
    models: dict[str, str | None]
    parents: dict[str, str] = field(default_factory=dict)
    end_token: int = 0
    max_model_len: int = 2048
    gate: asyncio.Event | None = None
    reply: Reply | None = None
    healthy: bool = True
    requests: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    probes: int = 0
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    disconnected: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        listener = socket.socket(proto=socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(self._app, interface="asgi3", lifespan="off", log_config=None, timeout_keep_alive=5)
        config.load()
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)
        self._listener = listener
        await self._server.startup(sockets=[listener])

    async def kill(self) -> None:
        """Every connection is reset, and new ones are refused."""
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        self._server.force_exit = True
        await self._server.shutdown(sockets=[self._listener])

    async def __aenter__(self) -> OpenAIServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        authorization = headers.get(b"authorization")
        self.authorizations.append(authorization.decode() if authorization else None)
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if scope["path"] == "/health":
            self.probes += 1
            await _send(send, Reply(b"", 200 if self.healthy else 503))
        elif scope["path"] == "/v1/models":
            await _send(send, Reply(json.dumps({"object": "list", "data": self._cards()}).encode()))
        elif scope["path"] == "/v1/completions":
            await self._completion(json.loads(body), receive, send)
        else:
            await _send(send, Reply(_error("Not Found", 404), 404))

    def _cards(self) -> list[dict[str, Any]]:
        return [
            {
                "id": name,
                "root": f"/models/{name}",
                "parent": self.parents.get(name),
                "max_model_len": None if name in self.parents else self.max_model_len,
            }
            for name in self.models
        ]

    async def _completion(self, body: dict[str, Any], receive: Any, send: Any) -> None:
        self.requests.append(body)
        self.entered.set()
        leaving = asyncio.ensure_future(receive())
        working = asyncio.ensure_future(self._answer(body))
        try:
            await asyncio.wait([leaving, working], return_when=asyncio.FIRST_COMPLETED)
            if leaving.done():
                self.disconnected.set()
                return
            await _send(send, working.result())
        finally:
            leaving.cancel()
            working.cancel()
            await asyncio.gather(leaving, working, return_exceptions=True)

    async def _answer(self, body: dict[str, Any]) -> Reply:
        if self.gate is not None:
            await self.gate.wait()
        if self.reply is not None:
            return self.reply
        if body["model"] not in self.models:
            return Reply(_error(f"The model `{body['model']}` does not exist.", 404), 404)
        try:
            return Reply(json.dumps(await self._complete(body)).encode())
        except (BadRequestError, EngineError) as error:
            return Reply(_error(str(error), 400), 400)

    async def _complete(self, body: dict[str, Any]) -> dict[str, Any]:
        adapter, prompt, max_tokens = self.models[body["model"]], body["prompt"], body["max_tokens"]
        if max_tokens < 1:
            raise BadRequestError(f"max_tokens must be at least 1, got {max_tokens}.")
        if len(prompt) + max_tokens > self.max_model_len:
            raise BadRequestError(f"The decoder prompt (length {len(prompt)}) is longer than the maximum model length")
        choice: dict[str, Any] = {"index": 0, "text": "", "finish_reason": "length", "token_ids": None}
        if wanted := body.get("logprob_token_ids"):
            if body.get("logprobs") is None:
                raise BadRequestError("when using `logprob_token_ids`, `logprobs` must be set.")
            if len(wanted) > MAX_LOGPROB_TOKEN_IDS:
                raise BadRequestError(f"Requested logprob_token_ids of length {len(wanted)}")
            values = await self.engine.next_token_logprobs(prompt, wanted, adapter)
            # The sampled token comes first, asked for or not.
            found = {"token_id:1": -1.5, **{f"token_id:{i}": v for i, v in zip(wanted, values, strict=True)}}
            choice["logprobs"] = {"tokens": ["token_id:1"], "top_logprobs": [found]}
        elif body.get("return_token_ids"):
            made = await self.engine.generate(
                prompt,
                max_tokens=max_tokens,
                temperature=body["temperature"],
                top_p=body["top_p"],
                seed=body.get("seed"),
                json_schema=body.get("structured_outputs", {}).get("json"),
                adapter=adapter,
            )
            end = [self.end_token] if made.finish_reason == "stop" else []
            choice |= {"token_ids": [*made.token_ids, *end], "finish_reason": made.finish_reason}
        if "prompt_logprobs" in body:
            rest = (await self.engine.continuation_logprobs(prompt[:1], [prompt[1:]], adapter))[0]
            choice["prompt_logprobs"] = [
                None,
                *({str(token): {"logprob": value, "rank": 1}} for token, value in zip(prompt[1:], rest, strict=True)),
            ]
        return {"id": "cmpl-1", "object": "text_completion", "model": body["model"], "choices": [choice]}


def _error(message: str, status: int) -> bytes:
    return json.dumps({"error": {"message": message, "type": "BadRequestError", "code": status}}).encode()


async def _send(send: Any, reply: Reply) -> None:
    headers = [(name.encode(), value.encode()) for name, value in reply.headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
