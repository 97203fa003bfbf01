"""The service's settings: environment variables ``AIAC_*``, and what a command line puts over them."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from agents.asking.options import QUESTION_MODEL
from agents.core.deadline import MARGIN_SECONDS
from agents.core.edition import ALIASES, DEFAULT_EDITION, edition_names, load_edition
from agents.core.errors import InputError
from agents.core.manifest import TOLERANCE_NATS
from agents.ensemble.engine_kinds import ENGINES
from agents.ensemble.loading import DEFAULT_ENSEMBLE
from agents.support.settings import EXPECTED, MATCHES_FOLDER, one_of, read_settings

PREFIX = "AIAC_"
LogLevel = Literal["critical", "error", "warning", "info", "debug"]


class Settings(BaseSettings):
    """Every field is the environment variable ``AIAC_<FIELD>``; an empty one counts as not set. No .env file is read.

    Build it with ``load_settings``, whose errors name the variable.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=None, env_ignore_empty=True, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Address to listen on. 0.0.0.0 lets other machines in: set AIAC_API_KEY with it.",
    )
    port: int = Field(8000, ge=0, le=65_535, description="TCP port to listen on; 0 takes any free one.")
    allowed_hosts: str | None = Field(
        None,
        description="Host names that requests may name beside AIAC_HOST, this machine's own, localhost and every IP "
        "address, separated by commas or spaces; * allows any. Not set, a service with a key allows any. It keeps "
        "web pages from reaching the service under a name of their own. Pages at these names may use it too.",
    )
    max_connections: int = Field(
        16_384,
        ge=16,
        le=1 << 20,
        description="Most connections open at a time, below the system's limit on open files. More let larger bursts "
        "in, and cost up to 100 kB each. Beyond it, the one that was idle for longest is closed, or a new one refused.",
    )
    ensemble: str = Field(
        DEFAULT_ENSEMBLE,
        min_length=1,
        description="What answers: the name of a folder in ensembles/, or a path to one.",
    )
    engine: str = Field("transformers", description="What computes: transformers, vllm, or remote (AIAC_REMOTE_URLS).")
    dtype: str | None = Field(
        None,
        description="Precision, float32 or bfloat16. Not set: bfloat16 where the device computes in it, unless a "
        "member misses its golden probes that way; float32 otherwise.",
    )
    threads: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="CPU threads that compute. Not set, PyTorch decides; fewer leave room for other processes.",
    )
    edition: str = Field(
        DEFAULT_EDITION,
        description="The tournament edition whose time limit for an answer holds. The default is the strictest (6 s).",
    )
    margin_ms: int = Field(
        round(MARGIN_SECONDS * 1000),
        ge=0,
        le=60_000,
        description="Milliseconds taken off the edition's limit for the network and the referee's clock. More is "
        "safer against lateness and leaves the ensemble less time.",
    )
    api_key: SecretStr | None = Field(
        None,
        description="Bearer key that every path but /, /console/…, /health and /ready asks for, in printable ASCII "
        "without spaces. Not set, anyone who reaches the port may ask.",
    )
    max_body_bytes: int = Field(
        65_536,
        ge=1024,
        le=1 << 30,
        description="Largest request body in bytes, except for /answers. More lets longer questions in, and costs "
        "memory for every request in flight.",
    )
    max_batch_body_bytes: int = Field(
        4 << 20, ge=1024, le=1 << 30, description="Largest request body of /answers in bytes, with the same trade-off."
    )
    max_batch_questions: int = Field(
        1000,
        ge=1,
        le=100_000,
        description="Most questions in one request to /answers or /questions. A batch may take that many times the "
        "edition's limit.",
    )
    batch_concurrency: int = Field(
        8,
        ge=1,
        le=1024,
        description="Questions of one batch answered at the same time. More keep a large engine busy; on a small one "
        "they only wait for each other, and for other requests.",
    )
    max_batches: int = Field(
        4,
        ge=1,
        le=1024,
        description="Most batches in progress, of /answers and of /questions each; more are refused with Retry-After. "
        "They share what single questions leave, so more of them only take longer each.",
    )
    question_pool: str | None = Field(
        None,
        description="SQLite file of the questions that wait and of all that were asked, with their proofs. Not set: "
        "questions.sqlite in the cache folder. Several services may share one.",
    )
    question_pool_size: int = Field(
        50,
        ge=1,
        le=10_000,
        description="Questions that wait for each topic and level. More outlast a longer burst and leave more to "
        "choose the hardest from; making and weighing them takes idle time.",
    )
    question_model: bool = QUESTION_MODEL
    matches: str = Field(
        MATCHES_FOLDER,
        min_length=1,
        description="Folder of the event logs that the console page shows matches from, live; aiac play writes there.",
    )
    grace_seconds: int = Field(
        10,
        ge=0,
        le=3600,
        description="Seconds that requests in flight get to finish when the service is told to stop. Below the "
        "edition's limit a stop may cut answers off.",
    )
    log_level: LogLevel = Field(
        "warning", description="Least severe message logged: critical, error, warning, info or debug."
    )

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("engine")
    @classmethod
    def _known_engine(cls, value: str) -> str:
        return one_of(value, ENGINES)

    @field_validator("dtype")
    @classmethod
    def _known_dtype(cls, value: str | None) -> str | None:
        return value if value is None else one_of(value, tuple(TOLERANCE_NATS))

    @field_validator("edition")
    @classmethod
    def _known_edition(cls, value: str) -> str:
        return one_of(ALIASES.get(value, value), edition_names())

    @field_validator("api_key")
    @classmethod
    def _sendable_key(cls, value: SecretStr | None) -> SecretStr | None:
        # Anything else could not be sent in a header as it is written, so no request would ever match it.
        if value is not None and not re.fullmatch("[!-~]+", value.get_secret_value()):
            raise PydanticCustomError(EXPECTED, "printable ASCII characters without spaces")
        return value

    @model_validator(mode="after")
    def _margin_leaves_time(self) -> Settings:
        limit_ms = load_edition(self.edition).answer_seconds * 1000
        if self.margin_ms >= limit_ms:
            raise InputError(
                f"{PREFIX}MARGIN_MS", f"{self.margin_ms}", f"less than the {limit_ms:.0f} ms of {self.edition}"
            )
        return self


def load_settings(**overrides: Any) -> Settings:
    """The service's settings from the environment. Raises as ``read_settings`` does."""
    return read_settings(Settings, **overrides)
