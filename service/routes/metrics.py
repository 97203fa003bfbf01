"""GET /metrics, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from agents.asking.questioner import Questioner
from service.metrics import Metrics


class MetricsResponse(Response):
    media_type = CONTENT_TYPE_LATEST


def metrics_router(metrics: Metrics, questioner: Questioner) -> APIRouter:
    """The route for Prometheus."""
    router = APIRouter(tags=["probes"])
    metrics.watch_gates(questioner.gate_counts)

    @router.get(
        "/metrics",
        summary="Prometheus metrics",
        response_class=MetricsResponse,
        responses={200: {"content": {CONTENT_TYPE_LATEST: {"schema": {"type": "string"}}}}},
    )
    async def prometheus() -> MetricsResponse:
        metrics.pool_counted((await questioner.status()).pool)
        return MetricsResponse(generate_latest(metrics.registry))

    return router
