"""The application factory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI

from agents.core.deadline import DeadlinePolicy
from agents.core.edition import load_edition
from service.admission import Admission, AdmissionMiddleware
from service.hosts import AllowedHosts, HostMiddleware
from service.metrics import Metrics
from service.middleware import (
    ArrivalMiddleware,
    BodyLimitMiddleware,
    DiscardMiddleware,
    KeyMiddleware,
    StopMiddleware,
)
from service.openapi import install_openapi
from service.problems import install_handlers
from service.questioner import make_questioner
from service.routes.answer import SINGLE_ANSWER_PATHS, AnswerService, answer_router
from service.routes.console import console_router
from service.routes.health import health_router
from service.routes.matches import MakeBoard, matches_router
from service.routes.metrics import metrics_router
from service.routes.question import QUESTION_PATHS, QuestionService, question_router
from service.settings import Settings
from service.state import Load, ServiceState


def create_app(
    settings: Settings, load: Load, filling: Executor | None = None, make_board: MakeBoard | None = None
) -> FastAPI:
    """The service as an ASGI application; ``app.state.service`` is its ServiceState.

    ``load`` runs in the background from start-up on, so that probes are answered meanwhile. Its failure does not stop
    the application: every answer and /ready then say why, and ``ServiceState.error`` holds it. At shutdown, which the
    server starts once requests are finished, the ensemble is closed. With ``filling`` questions come from the pool in
    the settings, which it fills while no answer is in flight; without, each is made when it is asked for, and nothing
    is kept on disk. ``make_board`` makes the scoreboard of a match that is shown. Raises InputError for an edition that
    is not known.
    """
    edition = load_edition(settings.edition)
    state = ServiceState()
    metrics = Metrics(state)
    margin_s = settings.margin_ms / 1000
    answer_policy = DeadlinePolicy(edition.answer_seconds, margin_s)
    question_policy = DeadlinePolicy(edition.question_seconds, margin_s)
    answer_admission = Admission(SINGLE_ANSWER_PATHS, metrics.busy)
    question_admission = Admission(QUESTION_PATHS, metrics.question_refused)
    questioner = make_questioner(settings, state, filling)

    async def keep_filled() -> None:
        await state.settled.wait()
        await questioner.keep_filled()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        background = [asyncio.create_task(state.load(load))]
        if filling is not None:
            background.append(asyncio.create_task(keep_filled()))
        try:
            yield
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await questioner.close()
            await state.close()

    app = FastAPI(
        title="aiac",
        version=version("aiac"),
        description="Answers multiple-choice questions with a checked ensemble and asks proved ones, never late.",
        lifespan=lifespan,
        # FastAPI's pages load their scripts from elsewhere; the document itself is at /openapi.json.
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = state
    app.include_router(console_router(edition))
    app.include_router(health_router(state, settings))
    app.include_router(metrics_router(metrics, questioner))
    app.include_router(answer_router(AnswerService(state, metrics, answer_policy, settings, answer_admission)))
    app.include_router(matches_router(Path(settings.matches), state.stopping, make_board))
    app.include_router(
        question_router(QuestionService(questioner, metrics, question_policy, settings, question_admission))
    )
    install_handlers(app)
    install_openapi(app, key_required=settings.api_key is not None)

    def limit_bytes(path: str) -> int:
        return settings.max_batch_body_bytes if path == "/answers" else settings.max_body_bytes

    # The last one added is the outermost.
    app.add_middleware(AdmissionMiddleware, admissions=(answer_admission, question_admission))
    app.add_middleware(BodyLimitMiddleware, limit_bytes=limit_bytes)
    if settings.api_key is not None:
        app.add_middleware(KeyMiddleware, key=settings.api_key.get_secret_value())
    app.add_middleware(HostMiddleware, allowed=AllowedHosts.of(settings))
    app.add_middleware(DiscardMiddleware)
    app.add_middleware(StopMiddleware, stopping=state.stopping)
    app.add_middleware(ArrivalMiddleware)
    return app
