"""The organisers' A-Agent model file: ``AAgent``, a drop-in for their own answer_agent.py.

Theirs sends prompt texts; ours finds the question in each, answers it through the ensemble and returns the JSON text.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, overload

from agents.answering.batch import BatchAnswerer
from agents.answering.prompt_text import find_question
from agents.core.deadline import DeadlinePolicy
from agents.core.edition import load_edition
from agents.core.prompts import PromptRenderer
from agents.ensemble.entry import open_entry_ensemble, read_entry_settings
from agents.ensemble.loading import LoadedEnsemble
from agents.support.background_loop import BackgroundLoop
from agents.support.concurrency import run_together
from agents.support.model_file import Result, respond

MAX_AT_A_TIME = 64
"""Questions of a list that are answered at a time, where the engines are predicted to take so many."""


class AAgent:
    """Answers prompts. Keyword arguments that it does not know are ignored: the organisers' code decides what it sends.

    ``ensemble``, ``engine`` and ``edition`` default to AIAC_ENSEMBLE, AIAC_ENGINE and AIAC_EDITION. An ensemble that is
    loaded already may be given instead. Raises what loading an ensemble raises.
    """

    def __init__(
        self,
        ensemble: str | None = None,
        engine: str | None = None,
        edition: str | None = None,
        *,
        loaded: LoadedEnsemble | None = None,
        **ignored: Any,
    ) -> None:
        settings = read_entry_settings(edition, ensemble, engine)
        self.edition = load_edition(settings.edition)
        self._loop = BackgroundLoop()
        self._loaded = loaded or self._loop.run(open_entry_ensemble(settings))
        self._renderer = PromptRenderer(self._loaded.engine.tokenizer, self._loaded.engine.max_tokens)

    @property
    def tokenizer(self) -> Any:
        """A tokenizer with ``encode(text, add_special_tokens=False)``: the Hugging Face one of the base model."""
        return getattr(self._loaded.engine.tokenizer, "hf", self._loaded.engine.tokenizer)

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

        A multiple-choice prompt is answered by the ensemble within the edition's seconds. Anything else gets a plain
        generation of at most ``max_new_tokens`` (512) tokens. Tokens and seconds are None unless ``tgps_show`` is set,
        as in the organisers' own model. ``system_prompt`` is part of their prompt, not of ours.
        """
        return respond(
            message,
            lambda prompts: self._loop.run(self._respond(prompts, kwargs)),
            lambda: self.tokenizer,
            tgps_show=bool(kwargs.get("tgps_show")),
        )

    def close(self) -> None:
        """Frees the ensemble; the agent cannot be used afterwards."""
        self._loop.run(self._loaded.close())
        self._loop.close()

    async def _respond(self, prompts: list[str], kwargs: dict[str, Any]) -> list[str]:
        policy = DeadlinePolicy(self.edition.answer_seconds)
        deadlines = [policy.from_now(place) for place in range(len(prompts))]
        found = [find_question(prompt, self.edition.choices) for prompt in prompts]
        asked = {place: question for place, question in enumerate(found) if question is not None}
        batch = BatchAnswerer(self._loaded.answerer, MAX_AT_A_TIME)
        others = [place for place in range(len(prompts)) if place not in asked]
        answers, texts = await asyncio.gather(
            batch.answer(list(asked.values()), [deadlines[place] for place in asked]),
            run_together(self._generate(prompts[place], kwargs) for place in others),
        )
        by_place = dict(zip(others, texts, strict=True))
        for place, answer in zip(asked, answers, strict=True):
            by_place[place] = json.dumps(answer.result.answer.canonical(), ensure_ascii=False)
        return [by_place[place] for place in range(len(prompts))]

    async def _generate(self, prompt: str, kwargs: dict[str, Any]) -> str:
        max_tokens = int(kwargs.get("max_new_tokens") or self.edition.answer_max_new_tokens)
        generation = await self._loaded.engine.generate(
            self._renderer.generation(prompt, room_for=max_tokens),
            max_tokens=max_tokens,
            temperature=float(kwargs.get("temperature") or 0.0) if kwargs.get("do_sample", True) else 0.0,
            top_p=float(kwargs.get("top_p") or 1.0),
            seed=0,
        )
        return self._loaded.engine.tokenizer.decode(generation.token_ids)
