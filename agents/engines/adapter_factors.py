"""What a LoRA, rsLoRA or DoRA adapter does to each weight of its base, read from its folder without PEFT.

PEFT merges the same, but its import and its wrapping of every layer take a second and a half for two adapters of
SmolLM2-135M, which a run that has six for everything does not have. Whatever is not plainly one of the three is left to
it (``read_factors`` gives None), and the golden probes are replayed on the result either way.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.core.errors import DamagedModelError
from agents.engines.adapter_config import ADAPTER_WEIGHTS, read_adapter_config

KEY = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<part>A\.weight|B\.weight|magnitude_vector(\.weight)?)")
PLAIN = {
    "peft_type": "LORA",
    "bias": "none",
    "fan_in_fan_out": False,
    "lora_bias": False,
    "alpha_pattern": {},
    "modules_to_save": None,
    "trainable_token_indices": None,
}
"""What ``adapter_config.json`` must say, where it says anything, for the factors to be the whole of an adapter."""
_VARIANTS = ("arrow_config", "layer_replication", "target_parameters")
"""Fields that make it something else when they hold anything; so does any ``use_…`` but those two."""
_KINDS = {"use_rslora", "use_dora"}


@dataclass(frozen=True)
class Factors:
    """One module's part of an adapter: ``a`` [rank, in], ``b`` [out, rank], DoRA's ``magnitude`` [out], in float32."""

    a: Any
    b: Any
    scaling: float
    magnitude: Any | None = None

    def merged(self, weight: Any) -> Any:
        """The base's ``weight`` [out, in], in float32, with the adapter in it.

        DoRA (arXiv 2402.09353, equation 5): W' = m · (W + sBA) / ‖W + sBA‖, the norm over each output's row.
        """
        directed = weight.addmm(self.b, self.a, alpha=self.scaling)
        if self.magnitude is None:
            return directed
        return directed.mul_((self.magnitude / directed.norm(dim=1))[:, None])

    def delta(self, weight: Any) -> Any:
        """What the adapter adds to ``weight``; for DoRA that depends on the weight itself."""
        if self.magnitude is None:
            return self.scaling * (self.b @ self.a)
        return self.merged(weight) - weight


def scaling_of(config: Mapping[str, Any], rank: int) -> float:
    """alpha / r, or alpha / sqrt(r) for rsLoRA."""
    return float(config["lora_alpha"]) / (math.sqrt(rank) if config.get("use_rslora") else rank)


def read_factors(folder: Path) -> dict[str, Factors] | None:
    """By module name; None unless files and settings are plainly those of a LoRA, rsLoRA or DoRA of linear layers.

    Raises DamagedModelError, which names the tensor, for NaN or infinity.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        config = read_adapter_config(folder)
        tensors = load_file(folder / ADAPTER_WEIGHTS)
        if not _is_plain(config) or not tensors:
            return None
        parts: dict[str, dict[str, Any]] = {}
        for name, tensor in tensors.items():
            match = KEY.fullmatch(name)
            if match is None:
                return None
            parts.setdefault(match["module"], {})[match["part"][0]] = tensor.float()
        require_finite(tensors.items(), folder / ADAPTER_WEIGHTS)
        wanted = {"A", "B", "m"} if config.get("use_dora") else {"A", "B"}
        if any(set(found) != wanted for found in parts.values()):
            return None
        if any(tensor.dim() != (1 if part == "m" else 2) for found in parts.values() for part, tensor in found.items()):
            return None
        return {
            module: Factors(found["A"], found["B"], scaling_of(config, found["A"].shape[0]), found.get("m"))
            for module, found in parts.items()
        }
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError, SafetensorError):
        # PEFT, or whoever reads it after this, says what is wrong.
        return None


def add_factors(model: Any, factors: Mapping[str, Factors]) -> bool:
    """Merges them into the linear layers of ``model``; False, and nothing is done, when they do not fit it."""
    import torch

    modules = dict(model.named_modules())
    for name, part in factors.items():
        layer = modules.get(name)
        if not isinstance(layer, torch.nn.Linear) or part.b.shape[1] != part.a.shape[0]:
            return False
        if tuple(layer.weight.shape) != (part.b.shape[0], part.a.shape[1]):
            return False
    with torch.no_grad():
        for name, part in factors.items():
            layer = modules[name]
            merged = part.merged(layer.weight.float())
            layer.weight = torch.nn.Parameter(merged.to(layer.weight.dtype), requires_grad=False)
    return True


def require_finite(tensors: Iterable[tuple[str, Any]], place: Path) -> None:
    """Raise DamagedModelError at ``place``, which names the tensor, unless all numbers are finite."""
    for name, tensor in tensors:
        # Smallest and largest carry NaN and infinity, and unlike a mask of all numbers need no memory.
        # PyTorch finds no smallest and largest of numbers in 8 bits.
        numbers = tensor.is_floating_point() and tensor.element_size() > 1 and tensor.numel()
        if numbers and not all(end.isfinite() for end in tensor.aminmax()):
            raise DamagedModelError(f"{place}: {name}", "NaN or infinity", "finite weights")


def _is_plain(config: Any) -> bool:
    return (
        isinstance(config, dict)
        and all(config.get(field, plain) in (plain, None) for field, plain in PLAIN.items())
        and not any(config.get(field) for field in _VARIANTS)
        and not any(value for field, value in config.items() if field.startswith("use_") and field not in _KINDS)
    )
