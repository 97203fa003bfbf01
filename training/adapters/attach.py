"""Attaching an adapter to a model, and which of its parameters train at which learning rate."""

from __future__ import annotations

from typing import Any

from agents.core.errors import InputError
from training.adapters.recipe import AdapterRecipe

MAGNITUDE = "lora_magnitude_vector"


def attach_adapter(model: Any, recipe: AdapterRecipe, *, seed: int) -> Any:
    """The model with a fresh adapter as a PeftModel; only the adapter's parameters train.

    The same seed gives the same tensors whatever ran before, and the global random state is left as it was.
    OPLoRA decomposes every targeted weight here. Raises InputError for target modules that do not exist, and for a
    ``preserve_rank`` that leaves a weight nothing to learn in.
    """
    import torch

    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        adapted = _inject(model, recipe)
    if recipe.type == "oplora":
        from training.adapters.oplora import project_factors

        project_factors(adapted, recipe.preserve_rank or 0)
    return adapted


def parameter_groups(
    model: Any, recipe: AdapterRecipe, learning_rate: float, weight_decay: float = 0.0
) -> list[dict[str, Any]]:
    """The optimiser's parameter groups; DoRA's magnitudes are a group at ``magnitude_lr_ratio`` times the rate.

    Magnitudes do not decay: they start at the norms of the base's own weights, which decay would shrink.
    """
    trained = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    factors = [parameter for name, parameter in trained if MAGNITUDE not in name]
    magnitudes = [parameter for name, parameter in trained if MAGNITUDE in name]
    groups = [{"params": factors, "lr": learning_rate, "weight_decay": weight_decay}]
    if magnitudes:
        groups.append({"params": magnitudes, "lr": learning_rate * recipe.magnitude_lr_ratio, "weight_decay": 0.0})
    return groups


def trainable_parameters(config: Any, recipe: AdapterRecipe) -> int:
    """How many parameters the recipe trains on the model of this transformers config; no weight is allocated.

    Raises InputError for target modules that do not exist.
    """
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        adapted = _inject(AutoModelForCausalLM.from_config(config, trust_remote_code=False), recipe)
    return sum(parameter.numel() for parameter in adapted.parameters() if parameter.requires_grad)


def _inject(model: Any, recipe: AdapterRecipe) -> Any:
    from peft import LoraConfig, get_peft_model

    _check_targets(model, recipe)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=recipe.rank,
        lora_alpha=int(recipe.alpha) if recipe.alpha.is_integer() else recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=recipe.target_modules,
        use_rslora=recipe.type == "rslora",
        use_dora=recipe.type == "dora",
    )
    return get_peft_model(model, config)


def _check_targets(model: Any, recipe: AdapterRecipe) -> None:
    """PEFT passes over a name that matches nothing as long as another one matches; here every name must match."""
    from torch import nn

    head = model.get_output_embeddings()
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear) and module is not head]
    targets = [] if recipe.target_modules == "all-linear" else recipe.target_modules
    missing = [target for target in targets if not any(f".{name}".endswith(f".{target}") for name in names)]
    if missing or not names:
        known = ", ".join(sorted({name.rpartition(".")[2] for name in names})) or "a model with linear layers"
        raise InputError("target_modules", ", ".join(missing) or "no linear layer", f"some of {known}")
