"""How the members of an ensemble are spread over vLLM engines, and whether they fit the memory there is.

On a GPU the base and its LoRA, rsLoRA and OPLoRA adapters share one engine. vLLM does not serve DoRA, so such an
adapter is merged into a checkpoint, and every checkpoint has an engine of its own. Its kernels for adapters compute in
16 bits only, so where float32 is asked for, every adapter is merged. So it is on a CPU: there an adapter costs five
times the time, and must not be batched with the bare model.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from agents.core.errors import InputError
from agents.core.manifest import Member
from agents.engines.adapter_config import ADAPTER_CONFIG, require_quick_patterns
from agents.engines.protocol import Engine
from agents.engines.vllm.options import VllmOptions
from agents.ensemble.merged import merged_checkpoint
from agents.ensemble.placement import EngineSpec, EnsembleWeights, Place
from agents.models.checkpoint import read_json_object, tensor_names
from agents.models.store import readable_bytes

OVERHEAD_BYTES = 1 << 30
"""What an engine needs beside weights and cache: its libraries, activations, and what the allocator keeps."""
LEAST_CACHE_BYTES = 1 << 30
"""The least key-value cache an engine is started with on a GPU."""


@dataclass(frozen=True)
class Device:
    """What engines run on. ``memory_bytes`` is that of one GPU, or the free memory of a machine without one."""

    on_cpu: bool
    memory_bytes: int


@dataclass(frozen=True)
class _Group:
    name: str
    checkpoint: Path
    members: Sequence[Member]
    adapters: Mapping[str, Path]
    merge: Path | None = None
    """An adapter to merge into the checkpoint. What comes of it is as large as the checkpoint."""


def place_on_vllm(
    options: VllmOptions,
    dtype: str | None = None,
    device: Callable[[], Device] | None = None,
    *,
    cache: Path | None = None,
) -> Place:
    """The ``Place`` of vLLM engines. Without a ``dtype`` a GPU tries bfloat16, then float32; a CPU is exact at once.

    An engine with adapters on a GPU is opened in bfloat16 only: vLLM asserts 16 bits there.
    ``cache`` is the ``root`` of ``merged_checkpoint``.
    """

    def place(weights: EnsembleWeights) -> list[EngineSpec]:
        on = (device or (lambda: find_device(options)))()
        tried = [dtype] if dtype else ["float32"] if on.on_cpu else ["bfloat16", "float32"]
        groups = _groups(weights, merge_all=on.on_cpu or dtype == "float32")
        shares = memory_shares(groups, tried[0], options, on)
        # Only now: hundreds of gigabytes are not written for an ensemble that does not fit.
        groups = [_merged(group, weights, cache) for group in groups]
        return [
            EngineSpec(
                group.name,
                group.members,
                {member.name: member.name if member.name in group.adapters else None for member in group.members},
                [partial(asyncio.to_thread, _open, group, each, options, share) for each in _precisions(group, tried)],
            )
            for group, share in zip(groups, shares, strict=True)
        ]

    return place


def _precisions(group: _Group, tried: Sequence[str]) -> Sequence[str]:
    return ["bfloat16"] if group.adapters else tried


def find_device(options: VllmOptions) -> Device:
    """The device vLLM finds. Raises as ``agents.engines.vllm.device.device_type`` does."""
    from agents.engines.vllm.device import device_type, prepare_environment

    prepare_environment(options)
    if device_type() == "cpu":
        return Device(True, available_memory())
    from vllm.platforms import current_platform

    return Device(False, int(current_platform.get_device_total_memory()))


def available_memory(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Bytes that programs can have without swapping; file caches count, since they give way."""
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(fields["MemAvailable"].split()[0]) << 10


def _open(group: _Group, dtype: str, options: VllmOptions, share: float | None) -> Engine:
    from agents.engines.vllm.engine import VllmEngine

    return VllmEngine.load(group.checkpoint, group.adapters, dtype=dtype, options=options, memory_share=share)


def _groups(weights: EnsembleWeights, *, merge_all: bool) -> list[_Group]:
    """Members by the checkpoint that computes them; nothing is merged yet."""
    shared: list[Member] = []
    adapters: dict[str, Path] = {}
    own: list[_Group] = []
    for member in weights.members:
        folder = weights.folders.get(member.name)
        if folder is None:
            shared.append(member)
        elif member.kind == "checkpoint":
            own.append(_Group(member.name, folder, [member], {}))
        elif merge_all or _is_dora(folder):
            own.append(_Group(member.name, weights.base, [member], {}, merge=folder))
        else:
            shared.append(member)
            # vLLM reads the patterns of an adapter's settings too.
            require_quick_patterns(folder, _module_names(weights.base))
            adapters[member.name] = folder
    return [_Group("base", weights.base, shared, adapters), *own] if shared else own


def _module_names(checkpoint: Path) -> set[str]:
    names: set[str] = set().union(*map(tensor_names, checkpoint.glob("*.safetensors")))
    return {name.rpartition(".")[0] for name in names}


def _merged(group: _Group, weights: EnsembleWeights, cache: Path | None) -> _Group:
    if group.merge is None:
        return group
    [member] = group.members
    merged = merged_checkpoint(group.checkpoint, weights.base_sha256, group.merge, str(member.sha256), root=cache)
    return replace(group, checkpoint=merged, merge=None)


def _is_dora(adapter: Path) -> bool:
    return bool(read_json_object(adapter / ADAPTER_CONFIG).get("use_dora"))


def memory_shares(groups: Sequence[_Group], dtype: str, options: VllmOptions, device: Device) -> list[float | None]:
    """Each engine's part of a GPU's memory, by the size of its weights; None on a CPU, where the cache is set instead.

    Raises InputError with the arithmetic when the engines do not fit.
    """
    split = 1 if device.on_cpu else options.tensor_parallel_size * options.pipeline_parallel_size
    sizes = [weight_bytes(group.checkpoint, dtype) / split for group in groups]
    cache = options.cpu_cache_gib << 30 if device.on_cpu else LEAST_CACHE_BYTES
    usable = device.memory_bytes * (1.0 if device.on_cpu else options.gpu_memory_utilization)
    spare = usable - sum(sizes) - len(groups) * (OVERHEAD_BYTES + cache)
    if spare < 0:
        parts = " + ".join(
            f"{group.name} {readable_bytes(round(size))}" for group, size in zip(groups, sizes, strict=True)
        )
        what = "of free memory" if device.on_cpu else "of a GPU's memory"
        raise InputError(
            "ensemble",
            f"weights of {parts} in {dtype}, and {readable_bytes(OVERHEAD_BYTES + cache)} beside each of "
            f"{len(groups)} engines: {readable_bytes(round(usable - spare))} in all",
            f"at most {readable_bytes(round(usable))} {what}: fewer or smaller members, or more GPUs to split over",
        )
    if device.on_cpu:
        return [None] * len(groups)
    total = sum(sizes)
    return [(size + OVERHEAD_BYTES + cache + spare * size / total) / device.memory_bytes for size in sizes]


def weight_bytes(checkpoint: Path, dtype: str) -> int:
    """Bytes of a checkpoint's weights once they are loaded as ``dtype``, by the headers of its safetensors files."""
    from safetensors import safe_open

    parameters = 0
    for file in checkpoint.glob("*.safetensors"):
        with safe_open(str(file), framework="np") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - not a dict
                count = 1
                for length in tensors.get_slice(name).get_shape():
                    count *= length
                parameters += count
    return parameters * (4 if dtype == "float32" else 2)
