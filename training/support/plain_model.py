"""The reference forward pass: one sequence at a time, float32, adapters unmerged.

It uses nothing of an engine (no cache, batch or merged adapter), so an engine that reproduces its numbers is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.engines.adapter_config import require_quick_patterns
from agents.engines.torch.engine import load_model


def plain_model(checkpoint: Path, adapter: Path | None = None) -> Any:
    """Load the checkpoint in float32, with the adapter attached through PEFT and left unmerged."""
    import torch

    model = load_model(checkpoint, torch.float32)
    if adapter is not None:
        from peft import PeftModel

        require_quick_patterns(adapter, (name for name, _ in model.named_modules()))
        model = PeftModel.from_pretrained(model, str(adapter), local_files_only=True)
    return model.eval()


def plain_logprobs(model: Any, token_ids: Sequence[int]) -> Any:
    """Return every next token's natural-log probabilities, float32 [len(token_ids), vocabulary]."""
    import torch

    with torch.inference_mode():
        return model(torch.tensor([list(token_ids)])).logits[0].float().log_softmax(-1)
