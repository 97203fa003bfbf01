"""What has to be so before vLLM starts: its environment, a device it was built for, and on a CPU a compiler."""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from agents.core.errors import EngineError, MissingExtraError
from agents.engines.vllm.options import VllmOptions

THREADS_BIND, UNPINNED = "VLLM_CPU_OMP_THREADS_BIND", "nobind"


def prepare_environment(options: VllmOptions, environment: MutableMapping[str, str] = os.environ) -> None:
    """Set what vLLM reads from the environment only, before it is imported; the user's own values stay."""
    defaults = {
        # Inside another program vLLM forks its engines on a GPU. A fork has the locks of threads that it does not have,
        # hangs where OpenMP has run before it, and keeps the service's listening socket open.
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
        "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_ENGINE_READY_TIMEOUT_S": str(options.ready_timeout_seconds),
        "VLLM_CPU_KVCACHE_SPACE": str(options.cpu_cache_gib),
        # Idle threads of one engine must not spin on the cores that another one needs.
        "GOMP_SPINCOUNT": "1000",
        # On a CPU vLLM pins the threads of all engines to the same cores, and keeps one core for each one's scheduler.
        THREADS_BIND: UNPINNED,
        # oneDNN keeps compiled code for each number of tokens it has met, by itself 1,024 pieces of it. Nearly every
        # batch of requests has a number of its own: each engine grew by 0.3 GB, and the heap around it fell to pieces.
        "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64",
    }
    for name, value in defaults.items():
        environment.setdefault(name, value)


def threads_are_pinned(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a CPU engine pins its threads to cores, as vLLM does where ``prepare_environment`` found it set."""
    return environment.get(THREADS_BIND) != UNPINNED


def device_type() -> str:
    """What vLLM was built for and finds: cuda, rocm, cpu, …

    Raises MissingExtraError without vLLM, and EngineError that names the build of torch when it finds no device.
    """
    try:
        import torch
        from vllm.platforms import current_platform
    except ImportError as error:
        raise MissingExtraError(
            f"the vllm engine needs {error.name or 'vllm'}, which is not installed; "
            "run in the project's folder: docker/install.sh cpu, or on a GPU: pip install -e '.[vllm]'"
        ) from None
    build = f"torch {torch.__version__}"
    if current_platform.is_cpu():
        return "cpu"
    if current_platform.is_unspecified():
        raise EngineError(f"vLLM found no device it can use with {build}; needed: a GPU and the build of torch for it")
    if current_platform.is_cuda_alike() and not torch.cuda.is_available():
        raise EngineError(f"no GPU that {build} can use was found; needed: one, or the CPU build of vLLM (vllm-cpu)")
    return str(current_platform.device_name)


def require_compiler(environment: Mapping[str, str] = os.environ, headers: Path | None = None) -> None:
    """On a CPU vLLM compiles at the first request for log-probs, and dies there without what that takes.

    Raises EngineError when neither g++ nor what CXX names is in the PATH of ``environment``, or when Python's headers
    are not in ``headers``, by default where this Python would have them.
    """
    compiler = environment.get("CXX") or "g++"
    if shutil.which(compiler, path=environment.get("PATH", os.defpath)) is None:
        raise EngineError(f"vLLM needs a C++ compiler on a CPU; found no {compiler}; expected g++, or one named by CXX")
    header = (headers or Path(sysconfig.get_path("include"))) / "Python.h"
    if not header.is_file():
        raise EngineError(
            f"vLLM needs Python's headers on a CPU; found no {header}; expected them there (Debian: python3-dev)"
        )
