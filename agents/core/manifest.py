"""The manifest of an exported ensemble: the schema of its ``ensemble.json``.

The file holds all that serving needs to know (members, weights, temperatures, priors) and all that it must check first:
hashes of the weights, and golden probes, prompts with the log-probs recorded at export.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents.core.pooling import Pooling
from agents.core.prompts import RENDERING
from agents.core.schema import LETTERS, MAX_CHOICES, MIN_CHOICES
from agents.core.scoring import Method
from agents.core.tokenizer import NO_THINKING

SCHEMA_VERSION = 1
FILE_NAME = "ensemble.json"
TOLERANCE_NATS = {"float32": 1e-3, "bfloat16": 0.05}
"""How far an engine may be from a recorded log-prob, by its precision."""

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
SafeName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
LogProb = Annotated[float, Field(le=0, allow_inf_nan=False)]
RESERVED_ARGUMENTS = frozenset(
    [
        "conversation",
        "messages",
        "tools",
        "documents",
        "chat_template",
        "add_generation_prompt",
        "continue_final_message",
        "tokenize",
        "padding",
        "truncation",
        "max_length",
        "return_tensors",
        "return_dict",
        "return_assistant_tokens_mask",
        "tokenizer_kwargs",
        "strftime_now",
        "bos_token",
        "eos_token",
        "unk_token",
        "sep_token",
        "pad_token",
        "cls_token",
        "mask_token",
        "additional_special_tokens",
        "self",
    ]
)
"""Names that rendering sets itself; a member's template arguments may not replace them."""
TemplateArgument = Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
Share = Annotated[float, Field(ge=0, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NextTokenProbe(_Strict):
    """A prompt, and the recorded log-probs of candidates for its next token."""

    kind: Literal["next_token"] = "next_token"
    prompt: list[int] = Field(min_length=1)
    candidates: list[int] = Field(min_length=1)
    logprobs: list[LogProb]

    @model_validator(mode="after")
    def _same_shape(self) -> NextTokenProbe:
        if len(self.logprobs) != len(self.candidates):
            raise ValueError(f"{len(self.logprobs)} logprobs for {len(self.candidates)} candidates")
        return self


class ContinuationProbe(_Strict):
    """A prompt, and the recorded log-prob of every token of continuations after it."""

    kind: Literal["continuation"] = "continuation"
    prompt: list[int] = Field(min_length=1)
    continuations: list[list[int]] = Field(min_length=1)
    logprobs: list[list[LogProb]]

    @model_validator(mode="after")
    def _same_shape(self) -> ContinuationProbe:
        if [len(row) for row in self.logprobs] != [len(row) for row in self.continuations]:
            raise ValueError("logprobs are not of the shape of continuations")
        return self


Probe = Annotated[NextTokenProbe | ContinuationProbe, Field(discriminator="kind")]


class Accuracy(_Strict):
    """Held-out accuracy as recorded at export: a count, and its 95% Wilson interval."""

    correct: int = Field(ge=0)
    rows: int = Field(ge=1)
    low: Share
    high: Share


class Base(_Strict):
    """The base model: a catalogue name or a checkpoint folder, and the SHA-256 it is known by.

    For a catalogue model that is the pin of the file it was converted from, which does not depend on the versions of
    the libraries that converted it; for any other checkpoint it is that of its safetensors weights.
    """

    model: str = Field(min_length=1)
    sha256: Sha256
    tokenizer_sha256: Sha256 | None = None
    """Hash by ``agents.engines.tokenizer_identity``; None in manifests that are older than this field."""
    template_sha256: Sha256 | None = None
    """Likewise, of the chat template."""


class Member(_Strict):
    """One voter: which weights, which method, and how its vote counts."""

    name: SafeName
    kind: Literal["base", "adapter", "checkpoint"] = "base"
    path: str | None = None
    sha256: Sha256 | None = None
    config_sha256: Sha256 | None = None
    """Hash of an adapter's ``adapter_config.json``, however it is laid out; None in manifests older than this field."""
    method: Method
    orders: int | None = Field(default=None, ge=1, le=MAX_CHOICES)
    """Cyclic orders of the choices a letter member is asked in; None is all of them. Cloze members need one."""
    weight: float = Field(ge=0, allow_inf_nan=False)
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    prior: dict[int, list[Annotated[float, Field(gt=0, le=1)]]] = {}
    """Label prior by number of choices (letter members)."""
    accuracy: Accuracy | None = None
    template_arguments: dict[TemplateArgument, bool | int | float | str] = dict(NO_THINKING)
    """Variables for the chat template, with which the probes were rendered. A template ignores unknown ones."""
    probes: list[Probe] = []

    @model_validator(mode="after")
    def _consistent(self) -> Member:
        if (self.kind == "base") != (self.path is None) or (self.path is None) != (self.sha256 is None):
            raise ValueError(f"kind {self.kind} does not go with path {self.path!r} and sha256 {self.sha256!r}")
        if reserved := sorted(self.template_arguments.keys() & RESERVED_ARGUMENTS):
            raise ValueError(f"template_arguments name {', '.join(reserved)}, which rendering sets itself; remove it")
        _check_priors(self.prior)
        return self


class Manifest(_Strict):
    """Schema version 1 of ``ensemble.json``."""

    schema_version: Literal[1] = 1
    rendering: int = RENDERING
    name: SafeName
    base: Base
    pooling: Pooling = "linear"
    members: list[Member] = Field(min_length=1)
    answer_prior: dict[int, list[Annotated[float, Field(gt=0, le=1)]]] = {}
    """How often each letter is the key, by number of choices: the answer when no member has one in time."""
    provenance: dict[str, Any] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        names = [member.name for member in self.members]
        if repeated := [name for name, count in Counter(names).items() if count > 1]:
            raise ValueError(f"member names repeat: {', '.join(repeated[:5])}")
        if not any(member.weight > 0 for member in self.members):
            raise ValueError("no member has a positive weight")
        if self.rendering != RENDERING:
            raise ValueError(f"rendering {self.rendering}; this version renders {RENDERING}")
        _check_priors(self.answer_prior)
        return self

    def answer_prior_for(self, n: int) -> list[float]:
        return self.answer_prior.get(n) or [1 / n] * n


def _check_priors(priors: dict[int, list[float]]) -> None:
    for n, prior in priors.items():
        if not MIN_CHOICES <= n <= MAX_CHOICES or len(prior) != n or not math.isclose(sum(prior), 1, abs_tol=1e-3):
            raise ValueError(f"a prior for {n} choices must be {n} probabilities that sum to 1 ({LETTERS[:2]}…)")
