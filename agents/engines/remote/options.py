"""What can be set of remote engines, as AIAC_REMOTE_* variables."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class RemoteOptions(BaseSettings):
    """Build it with ``read_settings``."""

    model_config = SettingsConfigDict(
        env_prefix="AIAC_REMOTE_",
        env_file=None,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    urls: str = Field("", description="Addresses of the vLLM servers, separated by commas or spaces.")
    api_key: SecretStr | None = Field(None, description="Bearer key that the servers ask for.")
    hedge: bool = Field(False, description="Whether a request slower than the p95 is sent to a second server as well.")
    request_timeout_seconds: int = Field(
        30, ge=1, le=3600, description="Longest time for one request; it is for servers that hang."
    )
    startup_timeout_seconds: int = Field(
        600, ge=0, le=86_400, description="How long to wait for servers that are still starting."
    )
    concurrency: int = Field(256, ge=1, le=65_536, description="Most requests in flight at one server.")

    @property
    def addresses(self) -> list[str]:
        return self.urls.replace(",", " ").split()
