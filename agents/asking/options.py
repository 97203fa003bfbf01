"""Settings of the Q-Agent that the service and the command line share."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

QUESTION_MODEL = Field(
    False,
    description="Whether the ensemble's model writes questions on topics that no puzzle covers; the ensemble must "
    "confirm each key. Worth it with a model that can write: of 24 drafts of SmolLM2-135M none was confirmed. Off, "
    "such a topic is an error.",
)


class QuestionOptions(BaseSettings):
    """For ``read_settings``: environment variables ``AIAC_*``; an empty one counts as not set."""

    model_config = SettingsConfigDict(env_prefix="AIAC_", env_ignore_empty=True, hide_input_in_errors=True)

    question_model: bool = QUESTION_MODEL
