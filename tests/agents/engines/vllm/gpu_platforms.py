"""Run by tests in an interpreter of its own: print the configuration that vLLM makes of our arguments on a GPU.

vLLM's own platform classes for ROCm and CUDA decide. Only what they read from a driver is replaced.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

GIB = 1 << 30
CARDS = {
    "rocm": ("AMD_Instinct_MI300X", 192 * GIB, (9, 4)),
    "cuda": ("NVIDIA H100 80GB HBM3", 80 * GIB, (9, 0)),
}


def stand_on(kind: str) -> None:
    """Make vLLM believe that it runs on one card of ``CARDS``."""
    import torch

    name, memory, capability = CARDS[kind]
    sys.modules["vllm._C_stable_libtorch"] = ModuleType("kernels that a configuration does not need")
    torch.cuda.get_device_properties = lambda *_: SimpleNamespace(gcnArchName="gfx942")  # type: ignore[assignment]
    import vllm.platforms
    from vllm.platforms.interface import DeviceCapability

    if kind == "rocm":
        from vllm.platforms.rocm import RocmPlatform as Base
    else:
        from vllm.platforms.cuda import NonNvmlCudaPlatform as Base

    class Card(Base):  # type: ignore[misc]
        @classmethod
        def get_device_name(cls, device_id: int = 0) -> str:
            return name

        @classmethod
        def get_device_total_memory(cls, device_id: int = 0) -> int:
            return memory

        @classmethod
        def get_device_capability(cls, device_id: int = 0) -> Any:
            return DeviceCapability(*capability)

        @classmethod
        def device_count(cls) -> int:
            return 8

    vllm.platforms.current_platform = Card()


def configuration(arguments: dict[str, Any]) -> dict[str, Any]:
    """What of an engine's configuration our settings are to decide."""
    from vllm import AsyncEngineArgs
    from vllm.utils.system_utils import get_mp_context

    from agents.engines.vllm.engine import usage_context

    config = AsyncEngineArgs(**arguments).create_engine_config(usage_context())
    method = get_mp_context().get_start_method()
    assert method in multiprocessing.get_all_start_methods()
    lora = config.lora_config
    return {
        "start_method": method,
        "dtype": str(config.model_config.dtype),
        "quantization": config.model_config.quantization,
        "max_model_len": config.model_config.max_model_len,
        "max_num_batched_tokens": config.scheduler_config.max_num_batched_tokens,
        "max_num_seqs": config.scheduler_config.max_num_seqs,
        "chunked_prefill": config.scheduler_config.enable_chunked_prefill,
        "prefix_caching": config.cache_config.enable_prefix_caching,
        "executor": str(config.parallel_config.distributed_executor_backend),
        "world_size": config.parallel_config.world_size,
        "worker": config.parallel_config.worker_cls,
        "compiled": config.compilation_config.mode.name,
        "lora": None if lora is None else {"slots": lora.max_loras, "rank": lora.max_lora_rank},
    }


def main(kind: str, checkpoint: str) -> None:
    from agents.engines.vllm.arguments import engine_arguments
    from agents.engines.vllm.device import prepare_environment
    from agents.engines.vllm.options import VllmOptions

    prepare_environment(VllmOptions())
    stand_on(kind)
    cases = {
        "as it is": VllmOptions(),
        "in steps of 4096 tokens": VllmOptions(max_num_batched_tokens=4096),
    }
    found = {
        name: configuration(
            engine_arguments(
                Path(checkpoint),
                {},
                dtype=None,
                options=options,
                memory=None,
                on_cpu=False,
                threads_pinned=False,
            )
        )
        for name, options in cases.items()
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
