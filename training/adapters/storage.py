"""Adapter folders as PEFT and vLLM read them: ``adapter_model.safetensors`` and ``adapter_config.json``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from agents.engines.adapter_config import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from agents.support.atomic_folder import staged_folder

Dtype = Literal["float32", "bfloat16"]


def save_adapter(model: Any, folder: Path, *, dtype: Dtype | None) -> Path:
    """Writes the PeftModel's adapter to ``folder``, replacing what was there, and returns it.

    OPLoRA is written as the plain LoRA it amounts to. ``dtype`` None keeps the tensors' own. The same tensors give the
    same bytes. Raises FileError.
    """
    from peft import get_peft_model_state_dict

    from training.adapters.oplora import projected_state

    state = projected_state(model, model.state_dict())
    tensors = get_peft_model_state_dict(model, state_dict=state, save_embedding_layers=False)
    with staged_folder(folder) as staging:
        write_adapter(staging, tensors, model.active_peft_config, dtype=dtype)
    return folder


def write_adapter(folder: Path, tensors: Mapping[str, Any], config: Any, *, dtype: Dtype | None) -> None:
    """Writes tensors and a PEFT config into an existing folder; no path of this machine gets into them."""
    import torch
    from safetensors.torch import save_file

    chosen = None if dtype is None else getattr(torch, dtype)
    whole = {name: tensors[name].detach().to("cpu", chosen).contiguous() for name in sorted(tensors)}
    save_file(whole, folder / ADAPTER_WEIGHTS, metadata={"format": "pt"})
    # safetensors creates its files for the owner alone; a service often runs as somebody else.
    (folder / ADAPTER_WEIGHTS).chmod(0o644)
    fields = config.to_dict() | {"inference_mode": True}
    fields["base_model_name_or_path"] = portable_name(str(fields["base_model_name_or_path"] or ""))
    # PEFT keeps module names in a set, and a set of strings has another order in every process.
    fields = {name: sorted(value) if isinstance(value, set) else value for name, value in fields.items()}
    (folder / ADAPTER_CONFIG).write_text(json.dumps(fields, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def copy_adapter(folder: Path, target: Path) -> Path:
    """Copies what an adapter consists of, and nothing else; ``target`` is replaced. Raises FileError."""
    with staged_folder(target) as staging:
        for name in (ADAPTER_WEIGHTS, ADAPTER_CONFIG):
            shutil.copyfile(folder / name, staging / name)
    return target


def portable_name(name_or_path: str) -> str:
    """A model's hub id as it is; of a folder only its last part."""
    path = Path(name_or_path)
    is_folder = path.is_absolute() or name_or_path.startswith((".", "~")) or path.is_dir()
    return path.expanduser().resolve().name if is_folder and name_or_path else name_or_path
