"""GET /health (the process answers) and GET /ready (the ensemble can answer, and which members of it)."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from agents.core.errors import AiacError, EngineError
from agents.ensemble.golden_probes import MemberStatus
from agents.ensemble.loading import LoadedEnsemble
from service import schemas
from service.json_http import JsonResponse
from service.openapi import problems
from service.problems import problem_response
from service.settings import Settings
from service.state import ServiceState

ENGINE_CHECK_SECONDS = 2.0
"""What the engine gets to say that it can compute; probes usually give up after a few seconds themselves."""


def health_router(state: ServiceState, settings: Settings) -> APIRouter:
    """The routes for probes; none of them needs the key."""
    router = APIRouter(tags=["probes"])

    @router.get("/health", summary="Is the process alive?", response_model=schemas.Alive)
    async def health() -> Response:
        return JsonResponse({"status": "alive"})

    @router.get("/ready", summary="Can it answer now?", response_model=schemas.Readiness, responses=problems(503))
    async def ready(request: Request) -> Response:
        try:
            ensemble = state.require_ensemble()
            await _check_engine(ensemble)
        except AiacError as error:
            stage = state.stage if state.ensemble is None and state.error is None else None
            return problem_response(
                error, request.scope, ensemble=settings.ensemble, engine=settings.engine, stage=stage
            )
        return JsonResponse(_readiness(ensemble, settings.engine))

    return router


async def _check_engine(ensemble: LoadedEnsemble) -> None:
    try:
        async with asyncio.timeout(ENGINE_CHECK_SECONDS):
            await ensemble.check_health()
    except TimeoutError:
        raise EngineError(f"the engine did not answer a health check in {ENGINE_CHECK_SECONDS:g} s") from None


def _readiness(ensemble: LoadedEnsemble, engine: str) -> dict[str, Any]:
    out = [status.name for status in ensemble.statuses if not status.ready]
    total = len(ensemble.statuses)
    return {
        "status": "ready",
        "ensemble": ensemble.manifest.name,
        "engine": engine,
        "dtype": ensemble.engine.dtype,
        "members": [_member(status) for status in ensemble.statuses],
        "detail": f"{len(out)} of {total} members are left out: {', '.join(out)}" if out else None,
    }


def _member(status: MemberStatus) -> dict[str, Any]:
    difference = status.difference_nats
    # JSON has no infinity; the reason tells it from "no probes".
    finite = difference if difference is not None and math.isfinite(difference) else None
    return {"name": status.name, "ready": status.ready, "difference_nats": finite, "reason": status.reason}
