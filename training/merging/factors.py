"""A LoRA, rsLoRA or DoRA adapter folder as what it does to each weight of the base.

PEFT's own arithmetic on loaded adapters is not used: ``add_weighted_adapter`` makes rsLoRA sqrt(new rank) too strong
and loses DoRA's magnitudes, ``convert_to_lora`` loses them too. tests/training/merging/test_merge_traps.py
watches both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.core.errors import DamagedModelError, InputError, describe
from agents.engines.adapter_config import ADAPTER_CONFIG, ADAPTER_WEIGHTS, read_adapter_config
from agents.engines.adapter_factors import KEY, PLAIN, Factors, require_finite, scaling_of
from agents.models.checkpoint import RECORD, read_record
from agents.models.download import sha256_of
from training.adapters.oplora import RAW
from training.adapters.storage import portable_name


@dataclass(frozen=True)
class Adapter:
    """An adapter folder that was read: its factors by module name, the base it records, its kind and rank."""

    folder: Path
    sha256: str
    kind: str
    rank: int
    base: str
    factors: Mapping[str, Factors]


def read_adapter(folder: Path) -> Adapter:
    """Raises DamagedModelError for files that are missing or unreadable, InputError for an adapter of another kind."""
    config = _read_config(folder / ADAPTER_CONFIG)
    for field, plain in PLAIN.items():
        if config.get(field, plain) not in (plain, None):
            raise InputError(
                f"{folder}: {field}", str(config[field]), f"{plain}: LoRA, rsLoRA or DoRA of linear layers"
            )
    weights = folder / ADAPTER_WEIGHTS
    parts = _by_module(_read_tensors(weights), weights)
    use_rslora, use_dora = bool(config.get("use_rslora")), bool(config.get("use_dora"))
    factors = {}
    for module, found in sorted(parts.items()):
        if set(found) != ({"A", "B", "magnitude"} if use_dora else {"A", "B"}):
            expected = "lora_A, lora_B and lora_magnitude_vector" if use_dora else "lora_A and lora_B"
            raise DamagedModelError(f"{weights}: {module}", " and ".join(sorted(found)), expected)
        rank = found["A"].shape[0]
        if found["B"].shape[1] != rank:
            raise DamagedModelError(f"{weights}: {module}", f"lora_B of rank {found['B'].shape[1]}", f"rank {rank}")
        factors[module] = Factors(found["A"], found["B"], scaling_of(config, rank), found.get("magnitude"))
    return Adapter(
        folder,
        sha256_of(weights),
        "dora" if use_dora else "rslora" if use_rslora else "lora",
        max(part.a.shape[0] for part in factors.values()),
        portable_name(str(config.get("base_model_name_or_path") or "")),
        factors,
    )


def require_base(adapter: Adapter, base: Path, model: Any) -> None:
    """Raises InputError unless the adapter was made for the checkpoint ``base``, loaded as ``model``.

    The base it records must be the folder's name or a name the model was pulled by, and every factor's shape must fit.
    """
    field = str(adapter.folder)
    names = {base.resolve().name}
    if (base / RECORD).is_file():
        record = read_record(base)
        names |= {str(record.get("name")), str(record.get("hub_repo"))}
    if adapter.base and adapter.base.rpartition("/")[2] not in {name.rpartition("/")[2] for name in names}:
        raise InputError(f"{field}: base_model_name_or_path", adapter.base, f"an adapter of {base.resolve().name}")
    modules = dict(model.named_modules())
    for name, part in adapter.factors.items():
        weight = getattr(modules.get(name), "weight", None)
        if weight is None:
            raise InputError(field, f"a part for {name}, which {base.name} does not have", "an adapter of this base")
        if (wanted := tuple(weight.shape)) != (shape := (part.b.shape[0], part.a.shape[1])):
            raise InputError(field, f"{name} of shape {shape}", f"{wanted}, as in {base.name}")


def _read_config(file: Path) -> dict[str, Any]:
    config = read_adapter_config(file.parent)
    alpha = config.get("lora_alpha")
    if not isinstance(alpha, (int, float)) or not alpha > 0:
        raise DamagedModelError(f"{file}: lora_alpha", describe(alpha), "a number above 0, as PEFT writes it")
    return config


def _read_tensors(file: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return {name: tensor.float() for name, tensor in load_file(file).items()}
    except (OSError, SafetensorError) as error:
        raise DamagedModelError(str(file), f"unreadable weights ({error})", "whole safetensors") from None


def _by_module(tensors: Mapping[str, Any], file: Path) -> dict[str, dict[str, Any]]:
    parts: dict[str, dict[str, Any]] = {}
    require_finite(tensors.items(), file)
    for name, tensor in tensors.items():
        match = KEY.fullmatch(name)
        if name.endswith(RAW):
            raise InputError(str(file), "the raw factors of an OPLoRA training checkpoint", "an exported adapter")
        if match is None:
            raise DamagedModelError(str(file), f"a tensor {name}", "lora_A, lora_B and magnitudes of linear layers")
        parts.setdefault(match["module"], {})[match["part"].partition("_")[0].partition(".")[0]] = tensor
    if not parts:
        raise DamagedModelError(str(file), "no tensors", "the factors of an adapter")
    return parts
