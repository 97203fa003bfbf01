"""POST /answer, /answers and /answer_question: questions in, letters out, on time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from agents.answering.answerer import Answerer, AnswerResult
from agents.answering.batch import BatchAnswer, BatchAnswerer
from agents.core.deadline import Deadline, DeadlinePolicy
from agents.core.errors import InputError, QuestionError
from agents.core.schema import BrokenRow, Question, read_question, read_questions
from agents.ensemble.loading import LoadedEnsemble
from agents.support.priority import Priority
from service import schemas
from service.admission import Admission, late_answer
from service.batches import BatchPlaces, BatchRows
from service.deadlines import RequestTime, Timing, read_body
from service.disconnect import while_connected
from service.json_http import JsonResponse, parse_json
from service.metrics import Metrics, refusals_counted
from service.openapi import QUESTION_BODY, QUESTIONS_BODY, problems
from service.settings import Settings
from service.state import ServiceState

SINGLE_ANSWER_PATHS = frozenset({"/answer", "/answer_question"})
"""Paths of single questions, which may be refused for load."""

T = TypeVar("T")
Detail = Annotated[bool, Query(description="Whether to return what the answer rests on as well.")]


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


@dataclass(frozen=True)
class Answered:
    """A question, its answer, and the time that it had."""

    question: Question
    verdict: AnswerResult
    ensemble: LoadedEnsemble
    timing: RequestTime
    deadline: Deadline

    def to_json(self, detail: bool) -> dict[str, Any]:
        """Return the fields of CanonicalAnswer, or with ``detail`` those of DetailedAnswer."""
        if not detail:
            return schemas.canonical(self.verdict)
        deadline_s = self.deadline.at_s - self.timing.arrived_s
        return schemas.detailed(self.verdict, self.question, self.ensemble, self.timing.elapsed_s(), deadline_s)


class AnswerService:
    """Answers questions of one app and counts what happens to them."""

    def __init__(
        self,
        state: ServiceState,
        metrics: Metrics,
        policy: DeadlinePolicy,
        settings: Settings,
        admission: Admission,
    ) -> None:
        self.state = state
        self.metrics = metrics
        self.policy = policy
        self.settings = settings
        self.admission = admission
        self.batches = BatchPlaces(settings.max_batches, metrics.busy)
        self.rows = BatchRows(policy.seconds / 2)

    async def one(self, request: Request, timing: RequestTime) -> Answered:
        """The answer to the question in a request's body.

        Raises NotReadyError, InputError for the body, BusyError when it would be late, and ClientDisconnect.
        """
        with refusals_counted(self.metrics.refused):
            ensemble = self.state.require_ensemble()
            question = parse_json(await read_body(request, timing, self.policy), single_question)
        deadline = timing.deadline(self.policy)
        with self.rows.single():
            await self._make_room(ensemble.answerer, question, deadline)
            # A client that wants its answer sooner than the edition does is refused sooner than the others.
            reuse = timing.allowed_ms is None
            self.admission.admit(late_answer(ensemble.answerer, question, deadline), reuse=reuse)
            self.metrics.admitted()
            return await self._connected(request, self._answer(ensemble, question, timing, deadline))

    async def _make_room(self, answerer: Answerer, question: Question, deadline: Deadline) -> None:
        """Stop rows of batches until the question would have half of its time left behind what is queued."""
        half = Deadline.after(deadline.remaining_s() / 2)
        if late_answer(answerer, question, half) is None:
            return
        async with aclosing(self.rows.stopped_rows()) as stopped:
            async for _ in stopped:
                if late_answer(answerer, question, half) is None:
                    return

    async def many(self, request: Request, timing: RequestTime, detail: bool) -> dict[str, Any]:
        """The fields of BatchAnswers for a request's body. Raises as ``one`` does; BusyError for too many batches."""
        self.batches.check()
        with refusals_counted(self.metrics.refused):
            ensemble = self.state.require_ensemble()
            body = await read_body(request, timing, self.policy)
        with self.batches.place():
            return await self._many(request, ensemble, body, timing, detail)

    async def _many(
        self, request: Request, ensemble: LoadedEnsemble, body: bytes, timing: RequestTime, detail: bool
    ) -> dict[str, Any]:
        with refusals_counted(self.metrics.refused):
            # On a thread, since reading a full batch takes long enough to make other requests late.
            rows = await asyncio.to_thread(parse_json, body, read_questions)
            limit = self.settings.max_batch_questions
            if len(rows) > limit:
                raise InputError(
                    "questions", f"{len(rows):,} questions", f"at most {limit:,} (AIAC_MAX_BATCH_QUESTIONS)"
                )
        self.metrics.batch(len(rows))
        questions = {position: row for position, row in enumerate(rows) if isinstance(row, Question)}
        broken = [(position, row) for position, row in enumerate(rows) if isinstance(row, BrokenRow)]
        for _ in broken:
            self.metrics.refused()

        async def ask(question: Question, deadline: Deadline) -> AnswerResult:
            async def answered() -> AnswerResult:
                with self.admission.in_progress(), self.state.priorities.running(Priority.ANSWER):
                    return await ensemble.answerer.answer(question, deadline)

            return await self.rows.run(answered, deadline)

        async def all_rows() -> list[dict[str, Any] | None]:
            batch = BatchAnswerer(ensemble.answerer, self.settings.batch_concurrency, ask)
            deadlines = [timing.deadline(self.policy, position) for position in questions]
            found: list[dict[str, Any] | None] = [None] * len(rows)
            positions = list(questions)

            def done(place: int, answer: BatchAnswer) -> None:
                position, verdict = positions[place], answer.result
                self.metrics.answered(verdict, timing.elapsed_s())
                answered = Answered(questions[position], verdict, ensemble, timing, answer.deadline)
                found[position] = answered.to_json(detail)

            await batch.answer(list(questions.values()), deadlines, done)
            return found

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
        self, ensemble: LoadedEnsemble, question: Question, timing: RequestTime, deadline: Deadline
    ) -> Answered:
        with self.admission.in_progress(), self.state.priorities.running(Priority.ANSWER):
            verdict = await ensemble.answerer.answer(question, deadline)
        self.metrics.answered(verdict, timing.elapsed_s())
        return Answered(question, verdict, ensemble, timing, deadline)


def answer_router(service: AnswerService) -> APIRouter:
    """The routes that answer."""
    router = APIRouter(tags=["answers"])

    @router.post(
        "/answer",
        summary="Answer one question",
        response_model=schemas.DetailedAnswer | schemas.CanonicalAnswer,
        responses=problems(408, 413, 422, 503),
        openapi_extra=QUESTION_BODY,
    )
    async def answer(request: Request, timing: Timing, detail: Detail = False) -> Response:
        return JsonResponse((await service.one(request, timing)).to_json(detail))

    @router.post(
        "/answers",
        summary="Answer many questions",
        response_model=schemas.BatchAnswers,
        responses=problems(408, 413, 422, 503),
        openapi_extra=QUESTIONS_BODY,
    )
    async def answers(request: Request, timing: Timing, detail: Detail = False) -> Response:
        return JsonResponse(await service.many(request, timing, detail))

    @router.post(
        "/answer_question",
        summary="Answer one question, in another team's shape",
        response_model=schemas.TimedAnswer,
        responses=problems(408, 413, 422, 503),
        openapi_extra=QUESTION_BODY,
    )
    async def answer_question(request: Request, timing: Timing) -> Response:
        verdict = (await service.one(request, timing)).verdict
        return JsonResponse({"answer": verdict.answer.letter, "answer_time": round(timing.elapsed_s(), 6)})

    return router
