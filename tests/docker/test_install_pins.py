"""One environment holds everything: the pins of vLLM's file and those of the project are of the same versions."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from agents.engines.vllm.limits import LEAST_VERSION

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = {"torchvision", "torchaudio", "torchcodec", "triton"}


def pins_of(file: str) -> dict[str, Requirement]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if not line.startswith("#")]
    return {canonicalize_name(each.name): each for each in requirements}


def version_of(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    assert specifier.operator == "=="
    return specifier.version


def test_a_pin_that_both_files_have_is_the_same_but_for_the_build_of_torch():
    ours, vllms = pins_of("constraints.txt"), pins_of("docker/vllm-cpu.txt")
    shared = ours.keys() & vllms.keys()
    assert {"fastapi", "transformers", "torch", "numpy"} <= shared
    for name in shared:
        assert version_of(vllms[name]).removesuffix("+cpu") == version_of(ours[name]), name


def test_vllms_file_pins_the_cpu_build_of_torch_and_leaves_the_cuda_builds_out():
    pins = pins_of("docker/vllm-cpu.txt")
    assert version_of(pins["torch"]).endswith("+cpu")
    assert not LEFT_OUT & pins.keys()


def test_what_an_image_is_given_beside_its_own_torch_does_not_name_torch_or_vllm():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    given = project["dependencies"] + project["optional-dependencies"]["image"]
    assert not {"torch", "vllm", "transformers", *LEFT_OUT} & {Requirement(each).name for each in given}


def test_the_least_vllm_that_errors_name_is_the_one_that_pip_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["optional-dependencies"]["vllm"] == [f"vllm>={LEAST_VERSION}"]
