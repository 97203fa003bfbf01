"""How the members of an ensemble are spread over vLLM engines.

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
from inspect import signature
from pathlib import Path

from agents.core.manifest import Member
from agents.engines.adapter_config import ADAPTER_CONFIG, require_quick_patterns
from agents.engines.protocol import Engine
from agents.engines.vllm.arguments import EngineMemory
from agents.engines.vllm.options import VllmOptions
from agents.ensemble.merged import merged_checkpoint
from agents.ensemble.placement import EngineSpec, EnsembleWeights, Open, Place
from agents.ensemble.vllm_memory import Device, plan_memory
from agents.models.checkpoint import read_json_object, tensor_names


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
        groups = _groups(weights, on, merge_all=on.on_cpu or dtype == "float32")
        plan = plan_memory(groups, tried[0], options, on)
        specs = []
        for planned in groups:
            names = {
                member.name: member.name if member.name in planned.adapters else None for member in planned.members
            }
            openers: list[Open] = []
            if planned.name in plan.memory:
                # Only now: hundreds of gigabytes are not written for what does not fit.
                group, memory = _merged(planned, weights, cache), plan.memory[planned.name]
                for each in _precisions(group, tried):
                    openers.append(partial(asyncio.to_thread, _open, group, each, options, memory))
                    # Twice as large, the weights of a more exact precision leave less than was planned.
                    memory = memory and replace(memory, cache_bytes=None)
            left_out = plan.left_out.get(planned.name)
            specs.append(EngineSpec(planned.name, planned.members, names, openers, left_out=left_out))
        return specs

    return place


def _precisions(group: _Group, tried: Sequence[str]) -> Sequence[str]:
    return ["bfloat16"] if group.adapters else tried


def find_device(options: VllmOptions) -> Device:
    """The device vLLM finds. Raises as ``agents.engines.vllm.device.device_type`` does."""
    from agents.engines.vllm.device import device_type, prepare_environment

    prepare_environment(options)
    if device_type() == "cpu":
        return Device(True, available_memory())
    from vllm.lora.peft_helper import PEFTHelper
    from vllm.platforms import current_platform

    # Older versions know an adapter's one rank and alpha, and scale the modules that have their own wrongly.
    patterns = "rank_pattern" in signature(PEFTHelper).parameters
    return Device(False, int(current_platform.get_device_total_memory()), rank_patterns=patterns)


def available_memory(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Bytes that programs can have without swapping; file caches count, since they give way."""
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(fields["MemAvailable"].split()[0]) << 10


def _open(group: _Group, dtype: str, options: VllmOptions, memory: EngineMemory | None) -> Engine:
    from agents.engines.vllm.engine import VllmEngine

    return VllmEngine.load(group.checkpoint, group.adapters, dtype=dtype, options=options, memory=memory)


def _groups(weights: EnsembleWeights, device: Device, *, merge_all: bool) -> list[_Group]:
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
        elif merge_all or not _served_as_adapter(folder, device):
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


def _served_as_adapter(adapter: Path, device: Device) -> bool:
    config = read_json_object(adapter / ADAPTER_CONFIG)
    if config.get("use_dora"):
        return False
    return device.rank_patterns or not (config.get("rank_pattern") or config.get("alpha_pattern"))
