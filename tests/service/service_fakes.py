"""A fake engine behind the engine protocol, an ensemble on it, and the service around that, in process."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from char_tokenizer import CharTokenizer
from fastapi import FastAPI

from agents.answering.answerer import Answerer
from agents.answering.cost import CostModel
from agents.answering.voter import Voter
from agents.core.errors import EngineError
from agents.core.manifest import Base, Manifest, Member
from agents.core.prompts import PromptRenderer
from agents.engines.protocol import Generation
from agents.ensemble.golden_probes import MemberStatus
from agents.ensemble.loading import LoadedEnsemble
from agents.ensemble.supervisor import EngineSupervisor
from service.app import create_app
from service.routes.matches import MakeBoard
from service.settings import load_settings
from service.state import Load, ServiceState

QUESTION = {"question": "What is the capital of France?", "choices": ["London", "Paris", "Rome", "Madrid"]}
PRIOR_LETTER = "C"
"""The likeliest key of four by the fake ensemble's prior: what is answered when no member has voted."""


@dataclass
class FakeEngine:
    """Gives the label in front of ``knows`` a probability of 0.7 and shares the rest out.

    Members in ``hanging`` never answer, those in ``failing`` raise EngineError. With a ``gate``, every call waits for
    it; ``stopped`` is set when one is cancelled there. ``prompts`` holds what was asked, ``entered`` is set by the
    first call.

    Asked to write, it gives what ``writes`` returns for the number of the draft; without it nothing, until it is
    cancelled. ``writing`` is set while it writes; ``drafts`` counts, ``cancelled_drafts`` those that were cancelled.
    """

    knows: str = "Paris"
    hanging: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    gate: asyncio.Event | None = None
    unhealthy: str | None = None
    closed: bool = False
    prompts: list[str] = field(default_factory=list)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    tokenizer: CharTokenizer = field(default_factory=CharTokenizer)
    dtype: str = "float32"
    max_tokens: int = 1 << 20
    writes: Callable[[int], str] | None = None
    writing: asyncio.Event = field(default_factory=asyncio.Event)
    drafts: int = 0
    cancelled_drafts: int = 0

    async def next_token_logprobs(
        self, prompt: Sequence[int], candidates: Sequence[int], adapter: str | None = None
    ) -> list[float]:
        text = self.tokenizer.decode(prompt)
        self.prompts.append(text)
        self.entered.set()
        if self.gate is not None:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.stopped.set()
                raise
        if adapter in self.hanging:
            await asyncio.Event().wait()
        if adapter in self.failing:
            raise EngineError("out of memory")
        labels = {choice: label for label, choice in re.findall(r"^([A-J])\) (.*)$", text, re.MULTILINE)}
        best = ord(labels.get(self.knows, "A"))
        return [-0.3567 if candidate == best else -2.3026 for candidate in candidates]

    async def continuation_logprobs(
        self, prompt: Sequence[int], continuations: Sequence[Sequence[int]], adapter: str | None = None
    ) -> list[list[float]]:
        raise EngineError("the fake engine knows letters only")

    async def generate(self, prompt: Sequence[int], **options: Any) -> Generation:
        self.drafts += 1
        self.writing.set()
        try:
            text = await asyncio.Future[str]() if self.writes is None else self.writes(self.drafts)
        except asyncio.CancelledError:
            self.cancelled_drafts += 1
            raise
        finally:
            self.writing.clear()
        return Generation(tuple(self.tokenizer.encode_text(text)), "stop")

    async def check_health(self) -> None:
        if self.unhealthy is not None:
            raise EngineError(self.unhealthy)

    async def close(self) -> None:
        self.closed = True


def ensemble_on(
    engine: FakeEngine, statuses: Sequence[MemberStatus] = (), costs: CostModel | None = None
) -> LoadedEnsemble:
    """Members ``first`` (weight 0.6) and ``second`` (0.4); those that ``statuses`` calls not ready do not vote."""
    members = [
        Member(name="first", method="letter", orders=2, weight=0.6),
        Member(name="second", method="letter", orders=1, weight=0.4),
    ]
    manifest = Manifest(
        name="fake",
        base=Base(model="fake", sha256="0" * 64),
        members=members,
        answer_prior={4: [0.2, 0.2, 0.4, 0.2]},
    )
    rejected = {status.name for status in statuses if not status.ready}
    renderer = PromptRenderer(engine.tokenizer)
    voters = [Voter(member, engine, renderer, member.name) for member in members if member.name not in rejected]
    known = list(statuses) or [MemberStatus(member.name, True, 0.0001) for member in members]
    return LoadedEnsemble(
        manifest, Answerer(manifest, voters, costs), [EngineSupervisor.running(engine, voters, known)]
    )


def loads(ensemble: LoadedEnsemble) -> Load:
    """A load that gives ``ensemble`` at once."""

    async def load(report: Callable[[str], None]) -> LoadedEnsemble:
        report("loading the model")
        return ensemble

    return load


@dataclass
class Service:
    """A running app and what is behind it."""

    client: httpx.AsyncClient
    state: ServiceState
    engine: FakeEngine
    app: FastAPI

    async def answer(self, payload: Any, **options: Any) -> httpx.Response:
        return await self.client.post("/answer", json=payload, **options)


@asynccontextmanager
async def running(
    engine: FakeEngine | None = None,
    *,
    load: Load | None = None,
    filling: Executor | None = None,
    make_board: MakeBoard | None = None,
    settled: bool = True,
    **settings: Any,
) -> AsyncIterator[Service]:
    """The app on ``engine``, or on what ``load`` gives, in this event loop; ``settled`` waits until it has loaded.

    With ``filling`` the pool is a file and is filled by it: give ``question_pool`` too.
    """
    engine = engine or FakeEngine()
    app = create_app(load_settings(**settings), load or loads(ensemble_on(engine)), filling, make_board)
    # What raises inside the app is to be seen as its client sees it.
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        if settled:
            await app.state.service.settled.wait()
        yield Service(client, app.state.service, engine, app)
