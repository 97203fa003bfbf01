"""The processes of a run: one, or as many as `accelerate launch` or `torchrun` started."""

from __future__ import annotations

from typing import Any


def processes() -> Any:
    """accelerate's PartialState. It must be told of a run on CPUs, or every process takes itself for the only one."""
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available())
