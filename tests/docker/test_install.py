"""docker/install.sh on environments it must refuse, and inside an image whose torch a careless install replaces.

The environments are real ones, of this Python; torch, vllm and pip in them are a few files that say what real ones say.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

INSTALL = Path(__file__).resolve().parents[2] / "docker" / "install.sh"
QUIET_PIP = ""
CARELESS_PIP = """
import sys
from importlib.metadata import distribution
metadata = next(file for file in distribution("torch").files if file.name == "METADATA").locate()
metadata.write_text(metadata.read_text().replace("2.9.0+rocm7.0", "2.13.0"))
"""
RECORDING_PIP = """
import pathlib, sys
if sys.argv[1] != "install":
    sys.exit()
log = pathlib.Path(sys.prefix) / "pip.log"
constraints = pathlib.Path(sys.argv[sys.argv.index("--constraint") + 1]).read_text()
log.write_text(" ".join(sys.argv[1:]) + "\\n" + constraints)
"""
SAMPLING_PARAMS = "class StructuredOutputsParams: ..."
BROKEN_PIP = """
import sys
sys.exit(sys.argv[1] == "install")
"""
MOVING_PIP = """
import pathlib, sys
installed = pathlib.Path(sys.prefix) / "installed"
if sys.argv[1] == "install":
    installed.touch()
elif installed.exists():
    print("vllm 0.20.2 has requirement fastapi<0.120, but you have fastapi 0.136.3.")
    print("some-notebook 1.0 requires another, which is not installed.")
    sys.exit(1)
"""


class Environment:
    """A virtual environment with a stand-in for pip, and for whatever else is put into it."""

    def __init__(self, folder: Path, pip: str = QUIET_PIP) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.folder = folder
        self.python = folder / "bin" / "python"
        (self.packages,) = folder.glob("lib/python*/site-packages")
        self.put("pip", "25.0", __main__=pip)

    def put(self, name: str, version: str, /, **modules: str) -> None:
        package = self.packages / name
        package.mkdir()
        for module, source in {"__init__": "", **modules}.items():
            (package / f"{module}.py").write_text(source, encoding="utf-8")
        info = self.packages / f"{name}-{version.replace('+', '_')}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
        (info / "RECORD").write_text(f"{info.name}/METADATA,,\n", encoding="utf-8")

    def put_torch(self, version: str, *, hip: str | None = None, cuda: str | None = None) -> None:
        self.put("torch", version, __init__="from torch import version", version=f"hip = {hip!r}\ncuda = {cuda!r}\n")

    def install(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(*arguments, python=str(self.python))


def run(*arguments: str, python: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHON": python}
    return subprocess.run([INSTALL, *arguments], env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture
def image(tmp_path):
    """What a ROCm image has."""

    def make(pip: str = QUIET_PIP) -> Environment:
        environment = Environment(tmp_path / "env", pip)
        environment.put_torch("2.9.0+rocm7.0", hip="7.0.51831")
        environment.put("vllm", "0.20.2+rocm700", sampling_params=SAMPLING_PARAMS)
        environment.put("torchvision", "0.24.0+rocm7.0")
        return environment

    return make


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence on stderr."""
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("docker/install.sh: ")
    return line.removeprefix("docker/install.sh: ")


def test_rocm_refuses_an_environment_without_torch(tmp_path):
    sentence = refusal(Environment(tmp_path / "env").install("rocm"))
    assert sentence == "found no torch; expected a base image (BASE_IMAGE) that has torch and vLLM for ROCm"


def test_rocm_refuses_an_image_that_has_torch_and_no_vllm(tmp_path):
    environment = Environment(tmp_path / "env")
    environment.put_torch("2.9.0+rocm7.0", hip="7.0.51831")
    assert refusal(environment.install("rocm")).startswith("found no vllm; expected a base image")


@pytest.mark.parametrize(("cuda", "build"), [("13.0", "CUDA"), (None, "CPU")])
def test_rocm_refuses_a_torch_that_was_not_built_for_rocm(tmp_path, cuda, build):
    environment = Environment(tmp_path / "env")
    environment.put_torch("2.13.0", cuda=cuda)
    environment.put("vllm", "0.32.0")
    found = refusal(environment.install("rocm"))
    assert found == f"found torch 2.13.0, a {build} build; expected the ROCm build of a ROCm image (BASE_IMAGE)"


@pytest.mark.parametrize("modules", [{}, {"sampling_params": "logprobs: int | None = None"}])
def test_rocm_refuses_a_vllm_that_is_too_old(tmp_path, modules):
    environment = Environment(tmp_path / "env")
    environment.put_torch("2.9.0+rocm7.0", hip="7.0.51831")
    environment.put("vllm", "0.10.2+rocm700", **modules)
    assert refusal(environment.install("rocm")) == (
        "found vllm 0.10.2+rocm700, which has no StructuredOutputsParams; expected vllm>=0.11 in the image (BASE_IMAGE)"
    )


def test_rocm_refuses_a_torch_that_does_not_import(tmp_path):
    environment = Environment(tmp_path / "env")
    environment.put("torch", "2.9.0+rocm7.0", __init__="raise ImportError('libamdhip64.so.7: no such file')")
    environment.put("vllm", "0.20.2+rocm700")
    assert refusal(environment.install("rocm")) == (
        "torch is installed but does not import: libamdhip64.so.7: no such file"
    )


def test_rocm_installs_with_every_version_of_the_gpu_stack_held_and_without_the_extras_that_own_torch(image):
    environment = image(RECORDING_PIP)
    done = environment.install("rocm")
    assert (done.returncode, done.stderr) == (0, "")
    command, *constraints = (environment.folder / "pip.log").read_text(encoding="utf-8").splitlines()
    assert constraints == ["torch==2.9.0+rocm7.0", "torchvision==0.24.0+rocm7.0", "vllm==0.20.2+rocm700"]
    assert command.split()[-2:] == ["--editable", ".[image]"]


def test_rocm_fails_when_an_install_replaced_torch_and_says_from_what_to_what(image):
    sentence = refusal(image(CARELESS_PIP).install("rocm"))
    assert sentence.startswith("torch was 2.9.0+rocm7.0, is now 2.13.0: the GPU needs the image's own builds")


def test_rocm_fails_when_an_install_moved_what_vllm_needs(image):
    sentence = refusal(image(MOVING_PIP).install("rocm"))
    assert "vllm 0.20.2 has requirement fastapi<0.120, but you have fastapi 0.136.3." in sentence
    assert "some-notebook" not in sentence


def test_rocm_names_the_versions_it_held_when_pip_finds_no_way(image):
    assert "torch==2.9.0+rocm7.0" in refusal(image(BROKEN_PIP).install("rocm"))


def test_cpu_refuses_a_torch_that_was_built_for_a_gpu(tmp_path):
    environment = Environment(tmp_path / "env")
    environment.put_torch("2.13.0+cu130", cuda="13.0")
    assert refusal(environment.install("cpu")) == "found torch 2.13.0+cu130, a CUDA build; expected a CPU build"


def test_cpu_says_where_torchs_cpu_build_is_when_pip_finds_none(tmp_path):
    assert "PIP_EXTRA_INDEX_URL=" in refusal(Environment(tmp_path / "env", BROKEN_PIP).install("cpu"))


@pytest.mark.parametrize("arguments", [(), ("cuda",)])
def test_a_platform_that_is_neither_cpu_nor_rocm_is_refused(arguments):
    found = arguments[0] if arguments else ""
    assert refusal(run(*arguments, python=sys.executable)) == f"found '{found}'; expected cpu or rocm"


def test_an_interpreter_that_is_not_there_is_refused(tmp_path):
    assert refusal(run("cpu", python=str(tmp_path / "python"))).startswith(f"found no {tmp_path}/python; expected")


def test_an_environment_without_pip_is_refused(tmp_path):
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    assert "found no pip" in refusal(run("cpu", python=str(tmp_path / "env" / "bin" / "python")))
