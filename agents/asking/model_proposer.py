"""The proposer that asks a language model: any topic, shown proved puzzles, held to a JSON schema.

What it writes is a draft and no more: whether it is a question, and whether its key is right, is for the gates to say.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import cast

import puzzles
from agents.asking.proposal import Draft
from agents.asking.writing_prompt import question_prompt, question_schema, question_text
from agents.core.edition import Edition
from agents.core.errors import EngineError, InputError, NotReadyError, describe
from agents.core.prompts import PromptRenderer
from agents.core.schema import Question
from agents.core.topics import Topic
from agents.engines.protocol import Engine
from agents.support.priority import Priority, PriorityGate
from puzzles.generator import Difficulty

EXAMPLES = 3
"""Proved puzzles shown with each request; fewer where the model's context is too short for them."""
MAX_TOPIC_CHARACTERS = 200
TEMPERATURE, TOP_P = 0.8, 0.95


class ModelProposer:
    """Implements ``proposal.Proposer`` over the engine that ``engine`` returns at the time.

    ``engine`` may raise NotReadyError, as ``LoadedEnsemble.engine`` does. ``adapter`` is a member trained to write
    questions, None the bare model. Such a member is shown no examples: it was trained without any
    (``training.run``), and they would be four fifths of its prompt. No draft begins while ``priorities`` has an answer
    in progress.
    """

    name = "model"

    def __init__(
        self,
        engine: Callable[[], Engine],
        edition: Edition,
        adapter: str | None = None,
        *,
        priorities: PriorityGate | None = None,
    ) -> None:
        self._engine = engine
        self._edition = edition
        self._adapter = adapter
        self._priorities = priorities or PriorityGate()
        self._schema = question_schema(edition)

    def covers(self, topic: Topic) -> bool:
        """Any topic that is a line of text of at most 200 characters."""
        return len(topic.name.strip()) > 0 and len(topic.name) <= MAX_TOPIC_CHARACTERS and topic.name.isprintable()

    async def propose(self, topic: Topic, level: str, seed: int) -> Draft:
        """One draft; on the same engine the same one for the same arguments. Raises EngineError, and InputError for a
        topic that is not covered or a level that is not easy, medium or hard."""
        if not self.covers(topic):
            raise InputError("topic", describe(topic.name), f"a line of text of 1 to {MAX_TOPIC_CHARACTERS} characters")
        if level not in puzzles.LEVELS:
            raise InputError("level", describe(level), f"one of {', '.join(puzzles.LEVELS)}")
        await self._priorities.turn(Priority.QUESTION)
        try:
            engine = self._engine()
        except NotReadyError as error:
            raise EngineError(str(error)) from None
        draw = random.Random(f"{topic.name}/{level}/{seed}")  # noqa: S311 - seeded chance is the point
        # Off the event loop: a puzzle takes a few hundredths of a second.
        examples = [] if self._adapter else await asyncio.to_thread(shown_examples, topic, level, draw)
        generation = await engine.generate(
            self._prompt(engine, topic.name, level, examples),
            max_tokens=self._edition.question_max_new_tokens,
            temperature=TEMPERATURE,
            top_p=TOP_P,
            seed=draw.getrandbits(31),
            json_schema=self._schema,
            adapter=self._adapter,
        )
        return Draft(engine.tokenizer.decode(generation.token_ids), topic.name, self.name, level)

    def _prompt(self, engine: Engine, topic: str, level: str, examples: Sequence[tuple[str, str]]) -> list[int]:
        """The request with as many of ``examples`` as leave room for the edition's generation limit."""
        renderer = PromptRenderer(engine.tokenizer)
        room = engine.max_tokens - self._edition.question_max_new_tokens
        for shown in range(len(examples), 0, -1):
            prompt = renderer.generation(question_prompt(topic, level, examples[:shown], self._edition))
            if len(prompt) <= room:
                return prompt
        return renderer.generation(question_prompt(topic, level, [], self._edition))


def shown_examples(topic: Topic, level: str, draw: random.Random) -> list[tuple[str, str]]:
    """Proved puzzles as pairs of a topic and a ``question_text``: of the topic's families, or mixed if it has none."""
    own = topic.families
    families = draw.sample(own or puzzles.FAMILIES, k=len(own) or EXAMPLES)
    difficulty = cast(Difficulty, level)
    made = [puzzles.generate(families[i % len(families)], difficulty, draw.getrandbits(31)) for i in range(EXAMPLES)]
    return [(p.topics[0], question_text(Question(p.question, p.choices, key=p.key), p.explanation)) for p in made]
