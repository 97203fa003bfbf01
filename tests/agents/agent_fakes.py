"""A fake engine behind the engine protocol, and manifests and ensembles on it."""

from __future__ import annotations

import asyncio
import math
import re
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from char_tokenizer import CharTokenizer

from agents.answering.answerer import Answerer
from agents.answering.voter import Voter
from agents.core.errors import EngineError
from agents.core.manifest import Base, Manifest, Member
from agents.core.prompts import PromptRenderer
from agents.core.schema import Question
from agents.engines.protocol import Generation

CAPITAL = Question("What is the capital of France?", ("London", "Paris", "Rome", "Madrid"))
PRIOR = {4: [0.2, 0.2, 0.4, 0.2]}
"""The likeliest key of four is C."""
SHA = "0" * 64


@dataclass
class ScriptedEngine:
    """Members are told apart by their adapter.

    A label is given probability 0.7 when the choice it stands before is the one in ``knows``, and the others share the
    rest. Members in ``hanging`` never answer, members in ``failing`` raise ``error``. A letter call whose first
    listed choice is in ``hanging_first`` never answers either. ``logprob`` is what every other number is;
    ``entered`` is set by the first call.
    """

    knows: dict[str | None, str] = field(default_factory=dict)
    hanging: set[str | None] = field(default_factory=set)
    failing: set[str | None] = field(default_factory=set)
    hanging_first: set[str] = field(default_factory=set)
    logprob: float = -1.0
    error: Exception = field(default_factory=lambda: EngineError("out of memory"))
    dtype: str = "float32"
    max_tokens: int = 1 << 20
    closed: bool = False
    calls: list[tuple[str | None, str]] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    cancelled: dict[str | None, asyncio.Event] = field(default_factory=dict)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    tokenizer: CharTokenizer = field(default_factory=CharTokenizer)

    async def next_token_logprobs(
        self, prompt: Sequence[int], candidates: Sequence[int], adapter: str | None = None
    ) -> list[float]:
        text = self.tokenizer.decode(prompt)
        labels = {choice: label for label, choice in re.findall(r"^([A-J])\) (.*)$", text, re.MULTILINE)}
        await self._work(adapter, text, hang=any(labels.get(choice) == "A" for choice in self.hanging_first))
        known = labels.get(self.knows.get(adapter, ""))
        if known is None:
            return [self.logprob] * len(candidates)
        rest = math.log(0.3 / (len(candidates) - 1))
        return [math.log(0.7) if candidate == ord(known) else rest for candidate in candidates]

    async def continuation_logprobs(
        self, prompt: Sequence[int], continuations: Sequence[Sequence[int]], adapter: str | None = None
    ) -> list[list[float]]:
        await self._work(adapter, self.tokenizer.decode(prompt), hang=False)
        known = self.knows.get(adapter)
        texts = [self.tokenizer.decode(row).strip() for row in continuations]
        return [
            [-0.01 if text == known else self.logprob] * len(row)
            for text, row in zip(texts, continuations, strict=True)
        ]

    async def _work(self, adapter: str | None, text: str, hang: bool) -> None:
        self.calls.append((adapter, text))
        self.entered.set()
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.sleep(0)
            if hang or adapter in self.hanging:
                await asyncio.Event().wait()
            if adapter in self.failing:
                raise self.error
        except asyncio.CancelledError:
            self.cancellation(adapter).set()
            raise
        finally:
            self.running -= 1

    def cancellation(self, adapter: str | None) -> asyncio.Event:
        """Set once a call of this member was cancelled."""
        return self.cancelled.setdefault(adapter, asyncio.Event())

    async def generate(self, prompt: Sequence[int], **options: Any) -> Generation:
        raise EngineError("the fake engine does not generate")

    async def check_health(self) -> None:
        return None

    async def close(self) -> None:
        self.closed = True


@dataclass
class Scribe(ScriptedEngine):
    """Writes each of ``drafts`` in turn; without any it fails."""

    drafts: tuple[str, ...] = ()
    written: int = 0

    async def generate(self, prompt: Sequence[int], **options: Any) -> Generation:
        if not self.drafts:
            raise self.error
        text = self.drafts[self.written % len(self.drafts)]
        self.written += 1
        return Generation(tuple(self.tokenizer.encode_text(text)), "stop")


def letter_member(name: str, *, weight: float = 1.0, orders: int | None = 1, **fields: Any) -> Member:
    return Member(name=name, method="letter", orders=orders, weight=weight, **fields)


def manifest_of(*members: Member, **fields: Any) -> Manifest:
    return Manifest(
        **{"name": "fake", "base": Base(model="fake", sha256=SHA), "answer_prior": PRIOR, **fields}, members=members
    )


def answerer_on(engine: ScriptedEngine, *members: Member, **fields: Any) -> Answerer:
    """The members on ``engine``, each as the adapter of its own name."""
    renderer = PromptRenderer(engine.tokenizer)
    voters = [Voter(member, engine, renderer, member.name) for member in members]
    return Answerer(manifest_of(*members, **fields), voters)


@contextmanager
def files_no_larger_than(limit_bytes: int) -> Iterator[None]:
    """As on a full disk: writing more into one file fails, for any user."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
