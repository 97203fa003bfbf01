"""Checks of an environment for docker/install.sh: `pins`, `check-unchanged FILE` and `check-cpu`.

The first two import nothing of the project, which may not be installed yet. A refusal is one sentence on stderr.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import NoReturn

OWNED_BY_THE_IMAGE = (
    "torch", "torchvision", "torchaudio", "triton", "pytorch-triton-rocm", "vllm", "transformers", "tokenizers",
    "numpy", "flash-attn", "amd-aiter",
)  # fmt: skip
"""Distributions built or chosen for the image's GPU stack. From the package index they would come as CUDA builds."""

NEEDED = ("torch", "vllm")
VLLM_FIELD = "StructuredOutputsParams"
"""The oldest vLLM that we serve on has it. Searched in the source: images' builds often have no true version."""
ON_CPU = ("transformers", "peft", "xgrammar", "agents.ensemble.loading", "service.app")
"""Modules that serving on a CPU imports, beside torch and vLLM."""


def refuse(sentence: str) -> NoReturn:
    sys.exit(f"docker/install.sh: {sentence}")


def installed_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (ImportError, OSError, RuntimeError) as error:
        refuse(f"{name} is installed but does not import: {error}")


def build_of(torch: ModuleType) -> str:
    """Name the platform that a torch was built for: ROCm, CUDA or CPU."""
    return "ROCm" if torch.version.hip else "CUDA" if torch.version.cuda else "CPU"


def pins() -> list[str]:
    """Return constraints that keep the image's GPU stack. Refuse an image without torch and a recent vLLM for ROCm."""
    for name in NEEDED:
        if installed_version(name) is None:
            refuse(f"found no {name}; expected a base image (BASE_IMAGE) that has torch and vLLM for ROCm")
    build = build_of(imported("torch"))
    if build != "ROCm":
        refuse(f"found torch {version('torch')}, a {build} build; expected the ROCm build of a ROCm image (BASE_IMAGE)")
    require_vllm_field()
    return [f"{name}=={found}" for name in OWNED_BY_THE_IMAGE if (found := installed_version(name))]


def require_vllm_field() -> None:
    """Refuse a vLLM that is too old to serve on, without importing it: a build has no GPU."""
    package = importlib.util.find_spec("vllm")
    source = Path(str(package and package.origin)).with_name("sampling_params.py")
    if not source.is_file() or VLLM_FIELD not in source.read_text(encoding="utf-8"):
        project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        (expected,) = project["optional-dependencies"]["vllm"]
        refuse(
            f"found vllm {version('vllm')}, which has no {VLLM_FIELD}; expected {expected} in the image (BASE_IMAGE)"
        )


def check_unchanged(file: Path) -> None:
    """Refuse when a distribution in a file of ``pins`` has another version now."""
    before = dict(line.split("==") for line in file.read_text(encoding="utf-8").split())
    changed = [f"{name} was {was}, is now {installed_version(name) or 'gone'}"
               for name, was in before.items() if installed_version(name) != was]  # fmt: skip
    if changed:
        refuse(f"{'; '.join(changed)}: the GPU needs the image's own builds, so start again from a fresh base image")


def check_cpu() -> None:
    """Refuse an environment in which vLLM would not compute on a CPU."""
    torch = imported("torch")
    build = build_of(torch)
    if build != "CPU":
        refuse(f"found torch {version('torch')}, a {build} build; expected a CPU build")
    try:
        imported("agents.engines.vllm.device").require_compiler()
    except imported("agents.core.errors").EngineError as error:
        refuse(str(error))
    imported("vllm")
    imported("vllm.platforms").current_platform.import_kernels()  # a missing library is only a warning there
    if not hasattr(torch.ops._C, "rms_norm"):
        refuse("vLLM's kernels do not load; expected their libraries (Debian: libnuma1), as the warning above says")
    for name in ON_CPU:
        imported(name)


def main(arguments: list[str]) -> None:
    match arguments:
        case ["pins"]:
            sys.stdout.write("".join(f"{pin}\n" for pin in pins()))
        case ["check-unchanged", file]:
            check_unchanged(Path(file))
        case ["check-cpu"]:
            check_cpu()
        case _:
            refuse(f"found {arguments}; expected pins, check-unchanged FILE or check-cpu")


if __name__ == "__main__":
    main(sys.argv[1:])
