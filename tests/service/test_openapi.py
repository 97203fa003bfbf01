"""The service does what its own OpenAPI document says: generated requests, valid and not."""

from __future__ import annotations

import asyncio
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS, load_all_checks
from service_fakes import FakeEngine, ensemble_on, loads

from service.app import create_app
from service.settings import Settings, load_settings

load_all_checks()
# That no text holds a lone surrogate cannot be said in JSON Schema, so a body that fits may get a 422.
# A question that is not ready by a deadline of a millisecond is a 503, which the document has: see below.
EXCLUDED = [CHECKS.get_one(name) for name in ("positive_data_acceptance", "not_a_server_error")]


def documented() -> Any:
    # Defaults alone: this runs on import, before a fixture could take the machine's own settings away.
    # Few questions at once, since a generated request that asks for the most of them has them all proved.
    app = create_app(
        Settings.model_construct(max_batch_questions=5, allowed_hosts="*"), loads(ensemble_on(FakeEngine()))
    )
    asyncio.run(app.state.service.load(loads(ensemble_on(FakeEngine()))))
    return schemathesis.openapi.from_asgi("/openapi.json", app)


schema = documented()


@schema.parametrize()
@settings(max_examples=60, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_document_holds(case: Any) -> None:
    response = case.call()
    assert response.status_code < 500 or response.status_code == 503
    case.validate_response(response, excluded_checks=EXCLUDED)


def test_with_a_key_the_document_asks_for_it() -> None:
    document = create_app(load_settings(api_key="s3cret"), loads(ensemble_on(FakeEngine()))).openapi()
    assert document["components"]["securitySchemes"]["key"] == {"type": "http", "scheme": "bearer"}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert ("401" in operation["responses"]) is ("security" in operation)
            assert ("security" in operation) is (path not in {"/", "/health", "/ready"})


def test_the_document_shows_bodies_headers_and_problems() -> None:
    document = create_app(load_settings(), loads(ensemble_on(FakeEngine()))).openapi()
    answer = document["paths"]["/answer"]["post"]
    assert answer["requestBody"]["content"]["application/json"]["examples"]
    header = next(parameter for parameter in answer["parameters"] if parameter["name"] == "X-Deadline-Ms")
    assert header["schema"].items() >= {"type": "integer", "minimum": 1, "maximum": 600_000}.items()
    for status in ("413", "422", "503"):
        assert list(answer["responses"][status]["content"]) == ["application/problem+json"]
    assert "HTTPValidationError" not in str(document)
