"""What a merge writes: a plain LoRA adapter, or a whole checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agents.core.errors import InputError
from agents.engines.adapter_factors import Factors
from agents.engines.vllm.limits import RANKS
from agents.ensemble.merged import save_checkpoint
from training.adapters.storage import Dtype, portable_name, write_adapter
from training.merging.factors import Adapter
from training.support.disk import require_disk


def concatenate(adapters: Sequence[Adapter], weights: Sequence[float]) -> dict[str, Factors]:
    """Factors of the plain LoRA whose update is Σ weight · update exactly; its rank is the sum of the ranks."""
    import torch

    combined: dict[str, Factors] = {}
    for module in sorted(set().union(*(adapter.factors for adapter in adapters))):
        parts = [(a.factors[module], w) for a, w in zip(adapters, weights, strict=True) if module in a.factors]
        a = torch.cat([part.a for part, _ in parts])
        b = torch.cat([weight * part.scaling * part.b for part, weight in parts], dim=1)
        combined[module] = Factors(a, b, 1.0)
    return combined


def write_lora(folder: Path, factors: Mapping[str, Factors], rank: int, base: Path, model: Any, dtype: Dtype) -> None:
    """Writes factors as a plain LoRA adapter of ``rank``; those of a smaller rank are filled up with zeros.

    rsLoRA's scaling, alpha / sqrt(rank), becomes a plain LoRA's with alpha · sqrt(rank), the factors as they were.
    Raises InputError for a rank vLLM does not serve.
    """
    from peft import LoraConfig
    from torch.nn.functional import pad

    require_served(rank)
    # One scaling goes into alpha and leaves the factors as they are; several are multiplied into them.
    scalings = {part.scaling for part in factors.values()}
    scaling = scalings.pop() if len(scalings) == 1 else 1.0
    tensors = {}
    for module, part in factors.items():
        missing = rank - part.a.shape[0]
        key = f"base_model.model.{module}"
        tensors[f"{key}.lora_A.weight"] = pad(part.a, (0, 0, 0, missing))
        tensors[f"{key}.lora_B.weight"] = pad(part.b * (part.scaling / scaling), (0, missing))
    alpha = scaling * rank
    config = LoraConfig(
        task_type="CAUSAL_LM",
        base_model_name_or_path=portable_name(str(base.resolve())),
        r=rank,
        lora_alpha=round(alpha) if abs(alpha - round(alpha)) < 1e-9 * alpha else alpha,
        target_modules=_target_modules(factors, model),
    )
    write_adapter(folder, tensors, config, dtype=dtype)


def require_served(rank: int) -> None:
    """Raises InputError for a rank of an adapter that vLLM would refuse."""
    if rank > RANKS[-1]:
        raise InputError("rank", str(rank), f"at most {RANKS[-1]}, the most vLLM serves")


def write_checkpoint(folder: Path, model: Any, base: Path, dtype: Dtype) -> None:
    """Writes the float32 ``model`` in ``dtype`` as safetensors, with the tokenizer files of ``base``.

    Raises DiskSpaceError before anything is written.
    """
    import torch

    chosen = getattr(torch, dtype)
    needed = sum(parameter.numel() for parameter in model.parameters()) * chosen.itemsize
    # The staging folder's own name says nothing to a person.
    require_disk(folder.parent.parent, needed, 0)
    save_checkpoint(model.to(chosen), base, folder)


def _target_modules(modules: Mapping[str, Any], model: Any) -> list[str]:
    """Last parts of the modules' names where those mean these modules and no others, else the whole names."""
    from torch import nn

    leaves = {name.rpartition(".")[2] for name in modules}
    meant = {name for name, layer in model.named_modules() if isinstance(layer, nn.Linear) and _leaf(name) in leaves}
    return sorted(leaves if meant == set(modules) else modules)


def _leaf(name: str) -> str:
    return name.rpartition(".")[2]
