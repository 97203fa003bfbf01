"""A keyed proposal, engines and voters for the tests of proposers and gates."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agent_fakes import CAPITAL, ScriptedEngine
from char_tokenizer import CharTokenizer

from agents.answering.voter import Voter
from agents.asking.proposal import Proposal
from agents.asking.writing_prompt import question_text
from agents.core.manifest import Member
from agents.core.prompts import PromptRenderer
from agents.core.schema import Question
from agents.engines.protocol import Generation

KEYED = replace(CAPITAL, key=1)
"""London, Paris, Rome, Madrid; the key is Paris."""
PROPOSAL = Proposal(KEYED, "Paris has been the capital since 508. SECRET", "model", "medium")


def voters_on(engine: ScriptedEngine, *members: Member, max_tokens: int | None = None) -> list[Voter]:
    renderer = PromptRenderer(engine.tokenizer, max_tokens)
    return [Voter(member, engine, renderer, member.name) for member in members]


class PlaceEngine(ScriptedEngine):
    """Gives each label a probability by its place, whatever stands there."""

    def __init__(self, by_place: Sequence[float]) -> None:
        super().__init__()
        self.by_place = by_place

    async def next_token_logprobs(self, prompt, candidates, adapter=None):
        await super().next_token_logprobs(prompt, candidates, adapter)
        return [math.log(p) for p in self.by_place]


WRITTEN = question_text(
    Question("Which colour is the sky at noon?", ("Blue", "Red", "Green", "Black"), key=0), "Light."
)


@dataclass
class WritingEngine:
    """Writes ``text`` whatever it is asked, and keeps what that was."""

    text: str = WRITTEN
    max_tokens: int = 1 << 20
    error: Exception | None = None
    hang: bool = False
    prompts: list[str] = field(default_factory=list)
    options: list[dict[str, Any]] = field(default_factory=list)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: bool = False
    tokenizer: CharTokenizer = field(default_factory=CharTokenizer)

    async def generate(self, prompt: Sequence[int], **options: Any) -> Generation:
        self.prompts.append(self.tokenizer.decode(prompt))
        self.options.append(options)
        self.entered.set()
        if self.error:
            raise self.error
        try:
            if self.hang:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return Generation(tuple(self.tokenizer.encode_text(self.text)), "stop")
