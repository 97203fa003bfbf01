"""Every error as RFC 9457 problem details, ``application/problem+json``."""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Scope

from agents.core.errors import AiacError, BusyError, InputError, UnauthorizedError, codes_of, describe
from service.json_http import JsonResponse

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
"""What a 503 tells the client to wait, unless its error knows better: a small model loads in about that time, and a
wrong guess costs one request."""

logger = logging.getLogger(__name__)


class Problem(BaseModel):
    """RFC 9457 problem details; ``field``, ``found`` and ``expected`` are there when something sent was wrong."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="A URN that identifies the kind of error, or about:blank.")
    title: str = Field(description="The kind of error, in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="One sentence for a person.")
    instance: str = Field(description="The path that was asked for.")
    field: str | None = Field(None, description="The field, parameter or header that is wrong.")
    found: str | None = Field(None, description="What was found there.")
    expected: str | None = Field(None, description="What is expected there.")


class ProblemResponse(JsonResponse):
    media_type = MEDIA_TYPE


def problem_response(error: AiacError, scope: Scope, **extensions: Any) -> Response:
    """The response for an error of ours: status and title from the table in ``agents.core.errors``."""
    outcome = codes_of(error)
    fields = (
        {"field": error.field, "found": error.found, "expected": error.expected}
        if isinstance(error, InputError)
        else {}
    )
    headers = {}
    if outcome.http_status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(error.retry_after_s if isinstance(error, BusyError) else RETRY_AFTER_SECONDS)
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = "Bearer"
    content = _problem(_urn(error), outcome.title, outcome.http_status, str(error), scope)
    return ProblemResponse({**content, **fields, **extensions}, outcome.http_status, headers)


def problem_of_status(status: int, scope: Scope, detail: str | None = None) -> Response:
    """The response for a status of HTTP that no error of ours stands for."""
    known = HTTPStatus(status)
    content = _problem("about:blank", known.phrase, known, detail or known.description or known.phrase, scope)
    return ProblemResponse(content, known)


def install_handlers(app: FastAPI) -> None:
    """Makes every error that leaves a route a problem: ours, FastAPI's, 404, 405, and what nobody expected."""

    @app.exception_handler(AiacError)
    async def ours(request: Request, error: AiacError) -> Response:
        return problem_response(error, request.scope)

    @app.exception_handler(RequestValidationError)
    async def invalid_parameter(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        field = str(first["loc"][-1])
        return problem_response(InputError(field, describe(first.get("input")), _phrase(first["msg"])), request.scope)

    @app.exception_handler(HTTPException)
    async def framework(request: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        detail = f"{request.method} {request.scope['path']}: {status.description or status.phrase}"
        content = _problem("about:blank", status.phrase, status, detail, request.scope)
        return ProblemResponse(content, status, error.headers)

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> Response:
        # Nobody reads this; without it a client that hangs up would be logged as a failure of the service.
        detail = "The client closed the connection before it had an answer."
        return ProblemResponse(_problem("about:blank", "Bad Request", 400, detail, request.scope), 400)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        # Starlette raises the error again after this response, so the server logs it with its traceback.
        detail = "Something went wrong inside the service; its log says what."
        content = _problem("about:blank", "Internal Server Error", 500, detail, request.scope)
        return ProblemResponse(content, 500)


def _problem(kind: str, title: str, status: int, detail: str, scope: Scope) -> dict[str, Any]:
    instance = quote(scope["path"].encode("utf-8", "surrogatepass"))
    return {"type": kind, "title": title, "status": int(status), "detail": detail, "instance": instance}


def _urn(error: AiacError) -> str:
    words = re.findall("[A-Z][a-z]*", type(error).__name__.removesuffix("Error"))
    return "urn:aiac:error:" + "-".join(words).lower()


def _phrase(message: str) -> str:
    return message.removeprefix("Input should be ").replace("Field required", "a value")
