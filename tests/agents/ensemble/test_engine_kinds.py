"""An engine kind is asked for by name."""

from __future__ import annotations

import pytest

from agents.core.errors import InputError
from agents.ensemble.engine_kinds import placement


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(InputError, match=r"^engine: found 'abacus'; expected one of transformers"):
        placement("abacus")


def test_an_unknown_dtype_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        placement("transformers", dtype="int3")
    assert str(caught.value) == "dtype: found 'int3'; expected one of float32, bfloat16"
