"""The first problem that pydantic finds, as one of our errors."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError, model_validator

from agents.core.errors import ManifestError
from agents.core.pydantic_errors import validation_error


class Inner(BaseModel):
    rows: list[int]


class Outer(BaseModel):
    inner: Inner

    @model_validator(mode="after")
    def _not_empty(self) -> Outer:
        if not self.inner.rows:
            raise ValueError("No rows are there")
        return self


def error_of(value: object) -> ManifestError:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(value)
    return validation_error(caught.value, ManifestError, "here.json", whole="contents")


def test_a_wrong_value_is_named_by_its_path_with_what_was_found():
    error = error_of({"inner": {"rows": [1, "x"]}})
    assert (error.field, error.found) == ("here.json: inner.rows.1", "'x'")
    assert error.expected.startswith("input should be a valid integer")


def test_a_missing_field_is_said_to_be_missing():
    error = error_of({"inner": {}})
    assert str(error) == "here.json: inner.rows: found no such field; expected a value"


def test_a_rule_of_the_whole_has_the_name_that_is_given_and_no_prefix():
    error = error_of({"inner": {"rows": []}})
    assert (error.field, error.expected) == ("here.json: contents", "no rows are there")
