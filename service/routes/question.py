"""POST /question, /questions and /generate_question: questions out, on time; the pool; proofs for disputes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from starlette.responses import Response

from agents.asking.pool.pool import ServedQuestion
from agents.asking.questioner import Questioner
from agents.core.deadline import DeadlinePolicy
from agents.core.errors import EngineError, InputError, NotReadyError, UnknownQuestionError, describe
from agents.core.schema import LETTERS
from agents.core.topics import Topic
from service import schemas
from service.admission import Admission, too_many_waiting
from service.batches import BatchPlaces
from service.deadlines import RequestTime, Timing, read_body
from service.disconnect import while_connected
from service.json_http import JsonResponse, parse_json
from service.metrics import Metrics, refusals_counted
from service.openapi import ASK_BODY, ASK_MANY_BODY, problems
from service.routes.answer import Detail
from service.settings import Settings

T = TypeVar("T")

QUESTION_PATHS = frozenset({"/question", "/questions", "/generate_question"})
MAX_SEED = 2**62
MAX_TOPIC_CHARS = 200
COUNT_FIELDS = ("count", "num_questions")


@dataclass(frozen=True)
class Asked:
    """What a request wants of the Q-Agent; None where it leaves the choice to it."""

    topic: str | Topic | None = None
    """As a name until the questioner has found it."""
    difficulty: Any = None
    seed: int | None = None


def read_asked(payload: Any) -> Asked:
    """The request in a body. Fields that are not known are left unread. Raises InputError."""
    if not isinstance(payload, dict):
        raise InputError("body", describe(payload), "an object with topic, difficulty and seed, each of which may miss")
    topic, seed = payload.get("topic"), payload.get("seed")
    if topic is not None and not (isinstance(topic, str) and topic.strip() and len(topic) <= MAX_TOPIC_CHARS):
        raise InputError("topic", describe(topic), f"a topic's name of at most {MAX_TOPIC_CHARS} characters")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < MAX_SEED):
        raise InputError("seed", describe(seed), f"a whole number from 0 to {MAX_SEED - 1}")
    return Asked(topic, payload.get("difficulty"), seed)


def read_many(payload: Any, most: int) -> tuple[Asked, int]:
    """The request in a body, and how many questions it wants. Raises InputError."""
    asked = read_asked(payload)
    field = next((name for name in COUNT_FIELDS if name in payload), COUNT_FIELDS[0])
    count = payload.get(field)
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= most:
        raise InputError(field, describe(count), f"a whole number from 0 to {most:,} (AIAC_MAX_BATCH_QUESTIONS)")
    return asked, count


class QuestionService:
    """Asks the questioner for one app and counts what becomes of it."""

    def __init__(
        self,
        questioner: Questioner,
        metrics: Metrics,
        policy: DeadlinePolicy,
        settings: Settings,
        admission: Admission,
    ) -> None:
        self.questioner = questioner
        self.metrics = metrics
        self.policy = policy
        self.settings = settings
        self.admission = admission
        self.batches = BatchPlaces(settings.max_batches, metrics.question_refused)

    async def one(self, request: Request, timing: RequestTime) -> ServedQuestion:
        """A question for a request's body.

        Raises InputError, BusyError when too many wait, NotReadyError when it would be late, EngineError when a model
        fails, and ClientDisconnect.
        """
        asked = await self._read(request, timing, read_asked)
        with self._admitted():
            return await while_connected(request, self._ask(asked, timing, 0))

    async def many(self, request: Request, timing: RequestTime) -> tuple[list[ServedQuestion], str | None]:
        """Questions for a request's body, one after the other; and why there are fewer than asked for, if so.

        What was served counts as asked, so those that are ready are returned even when a later one fails.
        """
        self.batches.check()
        most = self.settings.max_batch_questions
        asked, count = await self._read(request, timing, lambda body: read_many(body, most))
        with self.batches.place(), self._admitted():
            return await while_connected(request, self._several(asked, count, timing))

    async def _read(self, request: Request, timing: RequestTime, read: Callable[[Any], T]) -> T:
        """Return what ``read`` finds in the body; no body leaves every choice to the Q-Agent. Raises InputError.

        Reading takes no place among those who wait: a body may be as slow as its client likes.
        """
        with refusals_counted(self.metrics.question_refused):
            return parse_json(await read_body(request, timing, self.policy) or b"{}", read)

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        """Surround the work on a request. Raises BusyError when too many wait."""
        self.admission.admit(too_many_waiting(self.admission.in_flight))
        with refusals_counted(self.metrics.question_refused), self.admission.in_progress():
            yield

    async def _several(self, asked: Asked, count: int, timing: RequestTime) -> tuple[list[ServedQuestion], str | None]:
        found: list[ServedQuestion] = []
        if count and isinstance(asked.topic, str):
            asked = replace(asked, topic=self.questioner.find(asked.topic))
        for position in range(count):
            try:
                found.append(await self._ask(asked, timing, position))
            except (NotReadyError, EngineError) as error:
                self.metrics.question_refused()
                return found, str(error)
            # A pool that answers at once must not keep the loop from everybody else.
            await asyncio.sleep(0)
        return found, None

    async def _ask(self, asked: Asked, timing: RequestTime, position: int) -> ServedQuestion:
        deadline = timing.deadline(self.policy, position)
        begun_s = time.monotonic() if position else timing.arrived_s
        served = await self.questioner.ask(asked.topic, asked.difficulty, asked.seed, deadline)
        self.metrics.question_served(served.degraded, time.monotonic() - begun_s)
        return served


def question_router(service: QuestionService) -> APIRouter:
    """The routes that ask."""
    router = APIRouter(tags=["questions"])

    @router.post(
        "/question",
        summary="Ask one question that was never asked before",
        response_model=schemas.DetailedQuestion | schemas.CanonicalQuestion,
        responses=problems(408, 413, 422, 503),
        openapi_extra=ASK_BODY,
    )
    async def question(request: Request, timing: Timing, detail: Detail = False) -> Response:
        served = await service.one(request, timing)
        if not detail:
            return JsonResponse(served.canonical())
        return JsonResponse(schemas.detailed_question(served, timing.elapsed_s()))

    @router.post(
        "/questions",
        summary="Ask many questions",
        response_model=schemas.BatchQuestions,
        responses=problems(408, 413, 422, 503),
        openapi_extra=ASK_MANY_BODY,
    )
    async def questions(request: Request, timing: Timing) -> Response:
        served, reason = await service.many(request, timing)
        return JsonResponse({"questions": [each.canonical() for each in served], "detail": reason})

    @router.post(
        "/generate_question",
        summary="Ask one question, in another team's shape",
        response_model=schemas.TimedQuestion,
        responses=problems(408, 413, 422, 503),
        openapi_extra=ASK_BODY,
    )
    async def generate_question(request: Request, timing: Timing) -> Response:
        asked = (await service.one(request, timing)).question
        return JsonResponse(
            {
                "question": asked.text,
                "choices": dict(zip(LETTERS, asked.choices, strict=False)),
                "correct_answer": asked.key_letter,
                "generation_time": round(timing.elapsed_s(), 6),
            }
        )

    @router.get(
        "/question/{question_id}/proof",
        summary="The proof of a question that was served",
        responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}, **problems(404, 422)},
    )
    async def proof(question_id: str) -> Response:
        served = await service.questioner.served(question_id)
        if served is None or served.proposal.proof is None:
            raise UnknownQuestionError("question_id", describe(question_id), "the id of a question that was served")
        return JsonResponse(dict(served.proposal.proof))

    @router.get("/pool", summary="The questions that wait, and what the gates let through", response_model=schemas.Pool)
    async def pool() -> Response:
        return JsonResponse(schemas.pool(await service.questioner.status()))

    return router
