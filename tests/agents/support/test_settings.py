"""Settings from the environment: bounds, choices and secrets, each with an error that names the variable."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from agents.core.errors import InputError
from agents.engines.vllm.options import VllmOptions
from agents.support.settings import read_settings, settings_table


class Kiln(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="KILN_", env_ignore_empty=True)

    degrees: int = Field(900, ge=20, le=1_400, description="Celsius.")
    fuel: Literal["gas", "wood"] | None = Field(None, description="What burns.")
    draught: float = Field(0.5, gt=0, le=1, description="Share of the flue that is open.")
    sealed: bool = Field(False, description="Whether air is kept out.")
    key: SecretStr | None = Field(None, min_length=4, description="What opens it.")


@pytest.mark.parametrize(
    ("name", "value", "found", "expected"),
    [
        ("degrees", "hot", "'hot'", "a whole number from 20 to 1,400"),
        ("fuel", "coal", "'coal'", "one of gas, wood"),
        ("draught", "0", "'0'", "a number above 0 and at most 1"),
        ("sealed", "perhaps", "'perhaps'", "true or false"),
        ("key", "abc", "a key of 3 characters", "a non-empty string"),
    ],
)
def test_a_bad_value_names_the_variable_and_what_it_may_be(
    name: str, value: str, found: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"KILN_{name.upper()}", value)
    with pytest.raises(InputError) as caught:
        read_settings(Kiln)
    assert (caught.value.field, caught.value.found, caught.value.expected) == (
        f"KILN_{name.upper()}",
        found,
        expected,
    )


def test_an_override_goes_before_the_variable_and_none_counts_as_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILN_DEGREES", "1000")
    assert read_settings(Kiln, degrees=1100).degrees == 1100
    assert read_settings(Kiln, degrees=None).degrees == 1000


def test_the_table_has_a_line_a_setting() -> None:
    lines = settings_table(Kiln).splitlines()
    assert lines[2:4] == ["| `KILN_DEGREES` | `900` | Celsius. |", "| `KILN_FUEL` | not set | What burns. |"]
    assert len(lines) == 2 + len(Kiln.model_fields)


def test_the_options_of_vllm_are_variables_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIAC_VLLM_TENSOR_PARALLEL_SIZE", "4")
    monkeypatch.setenv("AIAC_VLLM_DISTRIBUTED_EXECUTOR_BACKEND", "ray")
    options = read_settings(VllmOptions)
    assert (options.tensor_parallel_size, options.distributed_executor_backend) == (4, "ray")
    monkeypatch.setenv("AIAC_VLLM_GPU_MEMORY_UTILIZATION", "1.5")
    with pytest.raises(InputError, match=r"AIAC_VLLM_GPU_MEMORY_UTILIZATION.*a number above 0 and at most 1"):
        read_settings(VllmOptions)
