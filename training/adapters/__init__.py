"""Adapters: what a recipe may ask for, attaching one to a model, and writing it so that PEFT and vLLM load it."""

from training.adapters.attach import attach_adapter, parameter_groups, trainable_parameters
from training.adapters.recipe import AdapterRecipe
from training.adapters.storage import save_adapter

__all__ = ["AdapterRecipe", "attach_adapter", "parameter_groups", "save_adapter", "trainable_parameters"]
