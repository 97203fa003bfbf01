"""The organisers' Q-Agent model file: ``QAgent``, a drop-in for their own question_agent.py.

Theirs sends prompt texts; ours finds the topic and the letter in each, asks the questioner, and returns the JSON text.
The solver covers every topic of every edition; a model for other topics is opened only where AIAC_QUESTION_MODEL is on.
Where there is no question on the topic in time, one on another topic stands in and says its own: their filter compares
no topics, so it counts, and a missing one does not.
"""

from __future__ import annotations

import asyncio
import json
import logging
from functools import cached_property
from pathlib import Path
from typing import Any, overload

from agents.asking.draft_sources import DraftSources
from agents.asking.pool.pool import ServedQuestion
from agents.asking.pool.store import QuestionStore, default_pool_path
from agents.asking.prompt_text import PromptRequest, find_request, find_topic_field, find_written_question
from agents.asking.questioner import Questioner
from agents.core.deadline import Deadline, DeadlinePolicy
from agents.core.edition import load_edition
from agents.core.errors import AiacError, EngineError, InputError, NotReadyError
from agents.core.schema import LETTERS, Question
from agents.ensemble.base_tokenizer import base_tokenizer
from agents.ensemble.entry import read_entry_settings
from agents.ensemble.question_source import LazyModel, requested_model
from agents.support.background_loop import BackgroundLoop
from agents.support.model_file import Result, respond

logger = logging.getLogger(__name__)

NOTHING = "{}"
"""Where there is no question: JSON, so that theirs does not ask for it to be repaired, and dropped by their filter."""


class QAgent:
    """Writes questions. Keyword arguments that it does not know are ignored: what is sent is the organisers' choice.

    ``edition`` defaults to AIAC_EDITION, ``pool`` to ``agents.asking.pool.store.default_pool_path``, ``model`` to what
    AIAC_QUESTION_MODEL says; it is opened at once, so that no question waits for it. A questioner may be given instead
    of ``pool`` and ``model``. Raises what opening the model raises.
    """

    def __init__(
        self,
        edition: str | None = None,
        pool: str | Path | None = None,
        *,
        model: LazyModel | None = None,
        questioner: Questioner | None = None,
        **ignored: Any,
    ) -> None:
        self._settings = read_entry_settings(edition)
        self.edition = load_edition(self._settings.edition)
        self._loop = BackgroundLoop()
        self._model = None if questioner else model or requested_model(self._settings, self.edition)
        if self._model is not None:
            self._loop.run(self._model.open())
        store = QuestionStore(Path(pool) if pool is not None else default_pool_path(self._settings.cache))
        source = None if self._model is None else self._model.source
        self._questioner = questioner or Questioner(self.edition, store, DraftSources(model=source))

    @cached_property
    def tokenizer(self) -> Any:
        """One with ``encode(text, add_special_tokens=False)``: the base model's, or an estimate without it."""
        return base_tokenizer(self._settings)

    @overload
    def generate_response(self, message: str, system_prompt: str | None = None, **kwargs: Any) -> Result[str]: ...

    @overload
    def generate_response(
        self, message: list[str], system_prompt: str | None = None, **kwargs: Any
    ) -> Result[list[str]]: ...

    def generate_response(
        self, message: str | list[str], system_prompt: str | None = None, **kwargs: Any
    ) -> Result[str] | Result[list[str]]:
        """The JSON text for a prompt, or a list of them for a list, even of one; then tokens and seconds.

        A prompt for a question on a topic gets one within the edition's seconds, its key at the letter that is
        demanded. A prompt that quotes a whole question, to have it repaired, gets that back in the canonical form. Any
        other, and a topic on which there is none in time (without a model every one that no puzzle covers), gets a
        question on one of the edition's topics, and a warning is logged. Tokens and seconds are None unless
        ``tgps_show`` is set, as in the organisers' own model.
        """
        return respond(
            message,
            lambda prompts: self._loop.run(self._respond(prompts)),
            lambda: self.tokenizer,
            tgps_show=bool(kwargs.get("tgps_show")),
        )

    def close(self) -> None:
        """Closes the pool and the model; the agent cannot be used afterwards."""
        self._loop.run(self._questioner.close())
        if self._model is not None:
            self._loop.run(self._model.close())
        self._loop.close()

    async def _respond(self, prompts: list[str]) -> list[str]:
        policy = DeadlinePolicy(self.edition.question_seconds)
        deadlines = [policy.from_now(place) for place in range(len(prompts))]
        return list(await asyncio.gather(*map(self._one, prompts, deadlines)))

    async def _one(self, prompt: str, deadline: Deadline) -> str:
        request = find_request(prompt)
        if request is None:
            if (written := find_written_question(prompt)) is not None:
                return _json_text(*written)
            request = PromptRequest(find_topic_field(prompt), None)
        try:
            served = await self._ask(request.topic, deadline)
        except AiacError as error:
            logger.error("no question: %s", error)
            return NOTHING
        question = served.question
        if request.letter is not None:
            question = with_key_at(question, LETTERS.index(request.letter))
        return _json_text(question, served.proposal.explanation)

    async def _ask(self, topic: str | None, deadline: Deadline) -> ServedQuestion:
        try:
            return await self._questioner.ask(topic, deadline=deadline)
        except (InputError, NotReadyError, EngineError) as error:
            logger.warning("another topic is asked about: %s", error)
            return await self._questioner.ask(None, deadline=deadline)


def with_key_at(question: Question, place: int) -> Question:
    """The same question with its key at ``place``: it and what stood there change places."""
    order = list(range(len(question.choices)))
    if question.key is not None:
        order[place], order[question.key] = order[question.key], order[place]
    return question.permuted(order)


def _json_text(question: Question, explanation: str) -> str:
    return json.dumps(question.canonical(explanation), ensure_ascii=False)
