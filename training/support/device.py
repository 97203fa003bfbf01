"""What a run computes in where its recipe does not say."""

from __future__ import annotations

from agents.engines.torch.precision import on_cpu


def device_dtype(*, gpu: bool | None = None) -> str:
    """bfloat16 on a GPU, float32 on a CPU, whatever units that has. ``gpu`` None: what PyTorch finds here."""
    return "bfloat16" if (not on_cpu() if gpu is None else gpu) else "float32"
