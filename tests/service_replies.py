"""Replies of a service that is not there, and a client that gets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from service.problems import problem_response


def answer(votes: int = 2, *, degraded: bool = False) -> dict[str, Any]:
    members = [{"name": str(i), "probabilities": {"A": 1.0} if i < votes else None} for i in range(2)]
    return {"answer": "A", "degraded": degraded, "members": members}


def problem(error: Exception) -> httpx.Response:
    response = problem_response(error, {"path": "/answer"})  # type: ignore[arg-type]
    return httpx.Response(response.status_code, content=bytes(response.body))


def client_of(handler: Callable[[httpx.Request], Any]) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(handler))
