"""A member at work: the steps a question takes, and its distribution after each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from agents.core.manifest import Member
from agents.core.permutation import Order, cyclic_orders
from agents.core.prompts import LetterPrompt, PromptRenderer
from agents.core.schema import Question
from agents.core.scoring import cloze_scores, distribution, letter_scores
from agents.engines.protocol import Engine
from agents.support.concurrency import cancel_all


@dataclass(frozen=True)
class Vote:
    """A member's view of a question so far. ``scores`` are before the temperature, one a choice."""

    scores: list[float]
    probabilities: list[float]
    steps_done: int
    steps_total: int
    truncated: bool = False
    """Whether the question was too long for the context and was read without its middle."""

    @property
    def complete(self) -> bool:
        return self.steps_done == self.steps_total


class Voter:
    """Binds a member of a manifest to the engine (and adapter) that computes it.

    Voters with the same ``engine`` share its queue. A member is asked about the distinct choices of a question; equal
    choices share the probability of their text.
    """

    def __init__(self, member: Member, engine: Engine, renderer: PromptRenderer, adapter: str | None = None) -> None:
        self.member = member
        self.engine = engine
        self._renderer = renderer
        self._adapter = adapter

    def in_all_orders(self) -> Voter:
        """The same member asked in every cyclic order, however many its votes in an answer take."""
        member = self.member.model_copy(update={"orders": None})
        return Voter(member, self.engine, self._renderer, self._adapter)

    def steps(self, question: Question) -> int:
        """How many engine calls a complete vote takes: one an order for letters, one for cloze."""
        if self.member.method != "letter":
            return 1
        n = len(set(question.choices))
        return n if self.member.orders is None else min(self.member.orders, n)

    async def votes(self, question: Question, steps: int | None = None) -> AsyncGenerator[Vote, None]:
        """The vote after each step, ``steps`` of them; without a number, or with enough, the last one is complete.

        Raises as the engine does.
        """
        asked, places = question.distinct(), question.places
        if self.member.method == "letter":
            async with aclosing(self._letter_votes(asked, steps)) as votes:
                async for vote in votes:
                    yield _over_places(vote, places)
        else:
            yield _over_places(await self._cloze_vote(asked), places)

    async def complete_vote(self, question: Question) -> Vote:
        """The last of ``votes``: what the member says once all its steps are done. Raises as the engine does."""
        *_, last = [vote async for vote in self.votes(question)]
        return last

    async def _letter_votes(self, question: Question, steps: int | None) -> AsyncGenerator[Vote, None]:
        total = self.steps(question)
        orders = cyclic_orders(len(question.choices), total if steps is None else min(steps, total))
        prior = self.member.prior.get(len(question.choices))
        # All orders are queued at once, so that the engine may batch them; each counts as soon as it is there.
        prompts = [self._renderer.letter(question, order) for order in orders]
        truncated = any(prompt.truncated for prompt in prompts)
        tasks = {asyncio.create_task(self._ask(prompt)): order for prompt, order in zip(prompts, orders, strict=True)}
        waiting = set(tasks)
        seen: list[tuple[Order, list[float]]] = []
        try:
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                seen += [(tasks[task], task.result()) for task in done]
                yield self._vote(letter_scores(seen, prior), len(seen), total, truncated)
        finally:
            await cancel_all(tasks)

    async def label_logprobs(self, question: Question, order: Order) -> list[float]:
        """Log-probs of the labels by place, with the choices shown in ``order``."""
        return await self._ask(self._renderer.letter(question, order))

    async def _ask(self, prompt: LetterPrompt) -> list[float]:
        return await self.engine.next_token_logprobs(prompt.token_ids, prompt.label_ids, self._adapter)

    async def _cloze_vote(self, question: Question) -> Vote:
        prompts = [self._renderer.cloze(question)]
        if self.member.method == "cloze_pmi":
            prompts.append(self._renderer.unconditional(question))
        conditional, *unconditional = await asyncio.gather(
            *(self.engine.continuation_logprobs(p.token_ids, p.continuations, self._adapter) for p in prompts)
        )
        scores = cloze_scores(
            self.member.method, prompts[0].texts, conditional, unconditional[0] if unconditional else None
        )
        return self._vote(scores, 1, 1, any(prompt.truncated for prompt in prompts))

    def _vote(self, scores: list[float], done: int, total: int, truncated: bool) -> Vote:
        return Vote(scores, distribution(scores, self.member.temperature), done, total, truncated)


def _over_places(vote: Vote, places: Sequence[int]) -> Vote:
    """A vote on the distinct choices as one on all of them, of which ``places`` are the places there."""
    if len(vote.scores) == len(places):
        return vote
    return replace(
        vote,
        scores=[vote.scores[place] for place in places],
        probabilities=[vote.probabilities[place] / places.count(place) for place in places],
    )
