"""POST /answer, /answers and /answer_question: questions in, letters out, on time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import WithJsonSchema
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from agents.answering.answerer import Verdict
from agents.core.deadline import Deadline
from agents.core.errors import BusyError, InputError, QuestionError
from agents.core.schema import BrokenRow, Question, read_question, read_questions
from agents.ensemble.loading import LoadedEnsemble
from service import schemas
from service.admission import admit
from service.body import parse
from service.deadlines import HEADER, MAX_DEADLINE_MS, DeadlinePolicy, read_deadline_ms
from service.disconnect import while_connected
from service.metrics import Metrics, refusals_counted
from service.middleware import arrived_s
from service.openapi import QUESTION_BODY, QUESTIONS_BODY, problems
from service.problems import JsonResponse
from service.settings import Settings
from service.shedding import LastRefusal
from service.state import ServiceState

SHED_PATHS = frozenset({"/answer", "/answer_question"})
"""Those of single questions, which admission may refuse."""

T = TypeVar("T")
Detail = Annotated[bool, Query(description="Whether to return what the answer rests on as well.")]


async def deadline_ms(
    header: Annotated[
        str | None,
        Header(
            alias=HEADER,
            description="Milliseconds from the request's arrival by which to answer. It may only shorten the "
            "edition's limit. In a batch it bounds all of it.",
        ),
        WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_DEADLINE_MS}),
    ] = None,
) -> int | None:
    # A coroutine, though it waits for nothing: FastAPI runs a plain function on a thread, one of forty.
    return read_deadline_ms(header)


DeadlineMs = Annotated[int | None, Depends(deadline_ms)]


def single_question(payload: Any) -> Question:
    """The one question of a payload in any shape. Raises QuestionError, for several naming where to send those."""
    if isinstance(payload, list) and len(payload) > 1:
        raise QuestionError("question row", f"a list of {len(payload)}", "one question; POST /answers takes many")
    if isinstance(payload, dict) and "question" not in payload and isinstance(payload.get("questions"), list):
        if len(payload["questions"]) != 1:
            found = f"{len(payload['questions'])} questions"
            raise QuestionError("questions", found, "one question; POST /answers takes many")
        payload = payload["questions"]
    return read_question(payload)


class AnswerService:
    """Answers questions of one app and counts what happens to them."""

    def __init__(
        self,
        state: ServiceState,
        metrics: Metrics,
        policy: DeadlinePolicy,
        settings: Settings,
        refusal: LastRefusal,
    ) -> None:
        self.state = state
        self.metrics = metrics
        self.policy = policy
        self.settings = settings
        self.refusal = refusal

    async def one(self, request: Request, requested_ms: int | None) -> tuple[LoadedEnsemble, Question, Verdict]:
        """The answer to the question in a request's body.

        Raises NotReadyError, InputError for the body, BusyError when it would be late, and ClientDisconnect.
        """
        with refusals_counted(self.metrics.refused):
            ensemble = self.state.require_ensemble()
            question = parse(await request.body(), single_question)
        arrived = arrived_s(request)
        deadline = self.policy.deadline(arrived, requested_ms)
        try:
            admit(ensemble.answerer, question, deadline)
        except BusyError as error:
            self.metrics.busy()
            # Who asks for an answer sooner than the edition does is refused sooner as well.
            if requested_ms is None:
                self.refusal.hold(error)
            raise
        self.metrics.admitted()
        return ensemble, question, await self._connected(request, self._answer(ensemble, question, deadline, arrived))

    async def many(self, request: Request, requested_ms: int | None, detail: bool) -> dict[str, Any]:
        """The fields of BatchAnswers for a request's body. Raises as ``one`` does, but for BusyError."""
        with refusals_counted(self.metrics.refused):
            ensemble = self.state.require_ensemble()
            # On a thread, since reading a full batch takes long enough to make other requests late.
            rows = await asyncio.to_thread(parse, await request.body(), read_questions)
            limit = self.settings.max_batch_questions
            if len(rows) > limit:
                raise InputError(
                    "questions", f"{len(rows):,} questions", f"at most {limit:,} (AIAC_MAX_BATCH_QUESTIONS)"
                )
        self.metrics.batch(len(rows))
        arrived = arrived_s(request)
        places = asyncio.Semaphore(self.settings.batch_concurrency)

        async def row(position: int, question: Question | BrokenRow) -> dict[str, Any] | None:
            if isinstance(question, BrokenRow):
                self.metrics.refused()
                return None
            deadline = self.policy.deadline(arrived, requested_ms, position)
            async with places:
                verdict = await self._answer(ensemble, question, deadline, arrived)
            if not detail:
                return schemas.canonical(verdict)
            return schemas.detailed(verdict, question, ensemble, time.monotonic() - arrived, deadline.at_s - arrived)

        async def all_rows() -> list[dict[str, Any] | None]:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(row(position, question)) for position, question in enumerate(rows)]
            return [task.result() for task in tasks]

        broken = [(position, row) for position, row in enumerate(rows) if isinstance(row, BrokenRow)]
        return {
            "answers": await self._connected(request, all_rows()),
            "errors": [{"index": position, "detail": row.reason} for position, row in broken],
        }

    async def _connected(self, request: Request, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await while_connected(request, work)
        except ClientDisconnect:
            self.metrics.abandoned()
            raise

    async def _answer(
        self, ensemble: LoadedEnsemble, question: Question, deadline: Deadline, arrived: float
    ) -> Verdict:
        try:
            with self.state.answering():
                verdict = await ensemble.answerer.answer(question, deadline)
        finally:
            self.refusal.lift()
        self.metrics.answered(verdict, time.monotonic() - arrived)
        return verdict


def answer_router(service: AnswerService) -> APIRouter:
    """The routes that answer."""
    router = APIRouter(tags=["answers"])

    @router.post(
        "/answer",
        summary="Answer one question",
        response_model=schemas.DetailedAnswer | schemas.CanonicalAnswer,
        responses=problems(413, 422, 503),
        openapi_extra=QUESTION_BODY,
    )
    async def answer(request: Request, requested_ms: DeadlineMs, detail: Detail = False) -> Response:
        ensemble, question, verdict = await service.one(request, requested_ms)
        if not detail:
            return JsonResponse(schemas.canonical(verdict))
        arrived = arrived_s(request)
        due_s = service.policy.deadline(arrived, requested_ms).at_s - arrived
        return JsonResponse(schemas.detailed(verdict, question, ensemble, time.monotonic() - arrived, due_s))

    @router.post(
        "/answers",
        summary="Answer many questions",
        response_model=schemas.BatchAnswers,
        responses=problems(413, 422, 503),
        openapi_extra=QUESTIONS_BODY,
    )
    async def answers(request: Request, requested_ms: DeadlineMs, detail: Detail = False) -> Response:
        return JsonResponse(await service.many(request, requested_ms, detail))

    @router.post(
        "/answer_question",
        summary="Answer one question, in another team's shape",
        response_model=schemas.TimedAnswer,
        responses=problems(413, 422, 503),
        openapi_extra=QUESTION_BODY,
    )
    async def answer_question(request: Request, requested_ms: DeadlineMs) -> Response:
        _, _, verdict = await service.one(request, requested_ms)
        seconds = round(time.monotonic() - arrived_s(request), 6)
        return JsonResponse({"answer": verdict.answer.letter, "answer_time": seconds})

    return router
