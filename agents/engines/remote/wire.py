"""What a vLLM server says over HTTP, read strictly: anything else than what was asked for is a ``ReplicaError``.

The field names are those of vLLM's OpenAI-compatible server (``entrypoints/openai/completion/protocol.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from agents.core.errors import describe
from agents.core.pydantic_errors import first_problem
from agents.engines.protocol import Generation

UNCHANGED_SAMPLING: Mapping[str, Any] = {
    "top_k": 0,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}
"""Sent with every request: what is left out, the server takes from the model's generation_config.json (Qwen2.5 has a
repetition penalty of 1.1 there), and another engine would write another text."""

# A log-probability of a token that is certain may come out a rounding error above zero.
ServerLogProb = Annotated[float, Field(le=0.01, allow_inf_nan=False)]
Parsed = TypeVar("Parsed", bound=BaseModel)


class ReplicaError(Exception):
    """A server did not answer, or not as it should. The text says what was found, without the server's address.

    ``disconnected``: the connection failed, which may have been the connection's fault and not the server's.
    """

    def __init__(self, found: str, *, disconnected: bool = False) -> None:
        super().__init__(found)
        self.disconnected = disconnected


class RequestRefusedError(ReplicaError):
    """The server says that the request itself is wrong: another server would say the same."""


class PromptToken(BaseModel):
    logprob: ServerLogProb


class OutputLogprobs(BaseModel):
    top_logprobs: list[dict[str, ServerLogProb]] = Field(min_length=1)


class CompletionChoice(BaseModel):
    finish_reason: Literal["stop", "length"]
    token_ids: list[int] | None = None
    logprobs: OutputLogprobs | None = None
    prompt_logprobs: list[dict[int, PromptToken] | None] | None = None


class Completion(BaseModel):
    choices: list[CompletionChoice] = Field(min_length=1, max_length=1)


class ModelCard(BaseModel):
    """One entry of ``/v1/models``. An adapter names its base as ``parent`` and has no ``max_model_len`` of its own."""

    id: str
    parent: str | None = None
    max_model_len: int | None = None


class ModelList(BaseModel):
    data: list[ModelCard]


class ErrorDetail(BaseModel):
    message: str


class ErrorBody(BaseModel):
    error: ErrorDetail


def scoring_request(prompt: Sequence[int], candidates: Sequence[int], *, with_prompt: bool) -> dict[str, Any]:
    """The body that asks for the log-probs of ``candidates`` after ``prompt``, and of the prompt's own tokens.

    vLLM cannot generate nothing, so one token is generated and thrown away.
    """
    body = {
        "prompt": list(prompt),
        "max_tokens": 1,
        "temperature": 0.0,
        "top_p": 1.0,
        "logprobs": len(candidates),
        "logprob_token_ids": list(candidates),
        "return_tokens_as_token_ids": True,
        **UNCHANGED_SAMPLING,
    }
    return {**body, "prompt_logprobs": 0} if with_prompt else body


def generation_request(
    prompt: Sequence[int],
    *,
    max_tokens: int,
    temperature: float,
    top_p: float,
    seed: int | None,
    json_schema: dict[str, Any] | None,
) -> dict[str, Any]:
    """The body that asks for token ids after ``prompt``."""
    body = {
        "prompt": list(prompt),
        "max_tokens": max_tokens,
        "temperature": temperature,
        "top_p": top_p,
        "return_token_ids": True,
        **UNCHANGED_SAMPLING,
    }
    if seed is not None:
        body["seed"] = seed
    if json_schema is not None:
        body["structured_outputs"] = {"json": json_schema}
    return body


def parse(kind: type[Parsed], body: bytes) -> Parsed:
    """``body`` as JSON of this kind. Raises ReplicaError that names the first field that does not fit."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        problem = first_problem(error, "the body")
        if problem.kind == "json_invalid":
            raise ReplicaError(f"a body that is not JSON: {excerpt(body)}") from None
        raise ReplicaError(f"JSON of another shape ({problem.field}: {problem.message})") from None


def expect_ok(status: int, body: bytes) -> bytes:
    """``body`` of an answer with status 200. Raises ReplicaError for any other, redirects among them."""
    if status != 200:
        raise ReplicaError(f"HTTP {status}: {excerpt(body)}")
    return body


def next_token(completion: Completion, candidates: Sequence[int]) -> list[float]:
    """The log-prob of each candidate as the first generated token. Raises ReplicaError when one is missing."""
    logprobs = completion.choices[0].logprobs
    if logprobs is None:
        raise ReplicaError("an answer without logprobs")
    table = logprobs.top_logprobs[0]
    try:
        return [table[f"token_id:{candidate}"] for candidate in candidates]
    except KeyError as error:
        raise ReplicaError(
            f"no log-prob of {error.args[0]} among the {len(table)} in the answer (vLLM before logprob_token_ids?)"
        ) from None


def prompt_tokens(completion: Completion, prompt: Sequence[int], start: int) -> list[float]:
    """The log-prob of each token of ``prompt`` from position ``start`` on, given those before it.

    Raises ReplicaError when the answer is about other tokens.
    """
    table = completion.choices[0].prompt_logprobs
    if table is None or len(table) != len(prompt):
        raise ReplicaError(f"{len(table or []):,} prompt log-probs for a prompt of {len(prompt):,} tokens")
    found = []
    for position in range(start, len(prompt)):
        token = (table[position] or {}).get(prompt[position])
        if token is None:
            raise ReplicaError(f"no log-prob of token {prompt[position]} at position {position} of the prompt")
        found.append(token.logprob)
    return found


def generation(completion: Completion) -> Generation:
    """The generated tokens; vLLM's list ends with the end token where there was one. Raises ReplicaError."""
    choice = completion.choices[0]
    if choice.token_ids is None:
        raise ReplicaError("an answer without token_ids")
    ended = choice.finish_reason == "stop"
    return Generation(tuple(choice.token_ids[:-1] if ended else choice.token_ids), choice.finish_reason)


def excerpt(body: bytes) -> str:
    """A short printable phrase for a body: a server's own error message where it has that form."""
    try:
        text = ErrorBody.model_validate_json(body).error.message
    except ValidationError:
        text = body[:200].decode("utf-8", "replace")
    return describe(" ".join(text.split())[:200], limit=200)
