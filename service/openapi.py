"""The OpenAPI document: request bodies that routes read themselves, and the problems they answer with."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from agents.core.schema import KEY_FIELDS, LETTERS, MAX_CHOICES, MIN_CHOICES
from service.middleware import OPEN_PATHS
from service.problems import MEDIA_TYPE, Problem

EASY = {"question": "What is the capital of France?", "choices": ["London", "Paris", "Rome", "Madrid"]}
"""A question for examples; any model answers it."""

_PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}
_MEANINGS = {
    401: "The bearer key is missing or wrong.",
    404: "There is no such question, or match.",
    408: "The body did not arrive in the time for one question.",
    413: "The body is over the limit.",
    422: "Something sent is wrong: the field, what was found and what is expected.",
    503: "Nothing can answer now (still loading, or loading failed), or more is queued than can be done in time.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """``responses`` of a route that can answer with these statuses."""
    return {status: _problem(status) for status in statuses}


def _problem(status: int) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": _MEANINGS[status],
        "content": {MEDIA_TYPE: {"schema": _PROBLEM_REF}},
    }
    if status == 503:
        wait = {
            "description": "Whole seconds to wait: until an answer would be in time again, where that is the reason.",
            "schema": {"type": "integer", "minimum": 1},
        }
        response["headers"] = {"Retry-After": wait}
    return response


_TEXT = {"type": "string"}

_CHOICES = {
    "description": f"{MIN_CHOICES} to {MAX_CHOICES} choices: a list, with or without letters in front of "
    "them, or an object by letter. They may repeat; the first of equal ones is answered.",
    "anyOf": [
        {"type": "array", "minItems": MIN_CHOICES, "maxItems": MAX_CHOICES, "items": _TEXT},
        {
            "type": "object",
            "properties": dict.fromkeys(LETTERS, _TEXT),
            "required": list(LETTERS[:MIN_CHOICES]),
            "additionalProperties": False,
        },
    ],
}

_QUESTION = {
    "type": "object",
    "description": "A question. Fields that are not listed, an explanation above all, are left unread. The same as a "
    f"JSON string, or as a list of one, is taken too, and so is a key under {', '.join(KEY_FIELDS)}: it is not used.",
    "properties": {
        "question": {**_TEXT, "description": "A very long text is read without its middle."},
        "choices": _CHOICES,
        "topic": {"description": "Left unread unless it is a string."},
    },
    "required": ["question", "choices"],
}

QUESTION_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": _QUESTION,
                "examples": {
                    "list": {"summary": "Choices as a list", "value": EASY},
                    "letters": {
                        "summary": "Choices by letter",
                        "value": {**EASY, "choices": dict(zip(LETTERS, EASY["choices"], strict=False))},
                    },
                },
            }
        },
    }
}

QUESTIONS_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "description": "Questions: a list of them (or of JSON strings), an object with questions, an "
                    "object of lists by topic, or one question. A row that is not a question gets null.",
                    "anyOf": [
                        {"type": "array", "items": {}},
                        {"type": "object", "properties": {"questions": {"type": ["array", "object"]}}},
                    ],
                },
                "examples": {"list": {"summary": "A list", "value": [EASY, EASY]}},
            }
        },
    }
}


_ASK = {
    "topic": {
        "type": ["string", "null"],
        "description": "In any spelling; one that no puzzle covers where AIAC_QUESTION_MODEL is on. Missing: the "
        "edition's topics in turn.",
    },
    "difficulty": {
        "description": "easy, medium, hard, or a number on the scale of the proofs. Missing: hard.",
        "anyOf": [{"enum": ["easy", "medium", "hard", None]}, {"type": "number"}],
    },
    "seed": {"type": ["integer", "null"], "minimum": 0, "description": "Makes the question now; the same at first."},
}
_COUNT = {"type": "integer", "minimum": 0}


def _ask_body(fields: dict[str, Any], example: dict[str, Any], *, required: bool) -> dict[str, Any]:
    schema = {"type": "object", "properties": fields} | ({"required": ["count"]} if required else {})
    return {
        "requestBody": {
            "required": required,
            "content": {"application/json": {"schema": schema, "example": example}},
        }
    }


ASK_BODY = _ask_body(_ASK, {"difficulty": "medium"}, required=False)
ASK_MANY_BODY = _ask_body({**_ASK, "count": _COUNT}, {"count": 5}, required=True)


def install_openapi(app: FastAPI, *, key_required: bool) -> None:
    """Completes the document that FastAPI makes with Problem and, when a key is set, how to send it."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                summary=app.summary,
            )
            components = schema.setdefault("components", {})
            components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
            if key_required:
                components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
                for path, operations in schema["paths"].items():
                    for operation in operations.values() if path not in OPEN_PATHS else ():
                        operation["security"] = [{"key": []}]
                        operation["responses"]["401"] = _problem(401)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
