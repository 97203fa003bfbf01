"""The kinds of engine, by name, and how each computes an ensemble."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agents.core.errors import InputError
from agents.core.manifest import TOLERANCE_NATS
from agents.engines.protocol import Engine
from agents.ensemble.placement import OpenEngine, Place, adapters_together

ENGINES = ("transformers", "vllm", "remote")


def placement(
    name: str,
    *,
    dtype: str | None = None,
    threads: int | None = None,
    cpu_dtype: str | None = None,
    cache: Path | None = None,
) -> Place:
    """How an engine kind, by name, spreads members and opens its engines; its own options come from the environment.

    ``cpu_dtype`` is as in ``transformers_openers``; ``cache`` holds merged weights (``store.cache_dir()`` by default).
    Raises InputError for a name that is not in ``ENGINES``, for a precision that is none, and for a bad option.
    """
    if name not in ENGINES:
        raise InputError("engine", repr(name), f"one of {', '.join(ENGINES)}")
    if dtype not in (None, *TOLERANCE_NATS):
        raise InputError("dtype", repr(dtype), f"one of {', '.join(TOLERANCE_NATS)}")
    if name == "vllm":
        from agents.engines.vllm.options import VllmOptions
        from agents.ensemble.vllm_placement import place_on_vllm
        from agents.support.settings import read_settings

        return place_on_vllm(read_settings(VllmOptions), dtype, cache=cache)
    if name == "remote":
        from agents.engines.remote.options import RemoteOptions
        from agents.ensemble.remote_placement import place_on_servers
        from agents.support.settings import read_settings

        return place_on_servers(read_settings(RemoteOptions), dtype)
    return adapters_together(transformers_openers(dtype=dtype, threads=threads, cpu_dtype=cpu_dtype))


def transformers_openers(
    *, dtype: str | None = None, threads: int | None = None, cpu_dtype: str | None = None
) -> list[OpenEngine]:
    """Openers of the embedded engine. Without a ``dtype`` the device's own precision comes first and float32 after it.

    Some models lose so much in bfloat16 that they miss their golden probes. Where that is known already, ``cpu_dtype``
    float32 saves a CPU the try, which takes seconds.
    """
    return [_transformers_opener(each, threads, cpu_dtype) for each in ([dtype] if dtype else [None, "float32"])]


def _transformers_opener(dtype: str | None, threads: int | None, cpu_dtype: str | None) -> OpenEngine:
    def open_engine(checkpoint: Path, adapters: Mapping[str, Path]) -> Engine:
        from agents.engines.torch.engine import TransformersEngine

        return TransformersEngine.load(checkpoint, adapters, dtype=dtype, threads=threads, cpu_dtype=cpu_dtype)

    return open_engine
