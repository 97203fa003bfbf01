"""The devices of a run: its processes, and the precision where its recipe names none."""

from __future__ import annotations

from typing import Any

from agents.engines.torch.precision import on_cpu


def processes() -> Any:
    """Return accelerate's PartialState of this run: one process, or as many as its launcher started.

    A run on CPUs is announced to it, or every process would take itself for the only one.
    """
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available())


def device_dtype(*, gpu: bool | None = None) -> str:
    """Return bfloat16 for a GPU and float32 for a CPU. ``gpu`` None: what PyTorch finds here."""
    return "bfloat16" if (not on_cpu() if gpu is None else gpu) else "float32"
