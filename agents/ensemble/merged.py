"""Adapters merged into checkpoints, for engines that serve those faster or cannot serve the adapter at all.

<root>/merged/<base and adapter>/    a checkpoint; it appears under this name only when it is whole
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from agents.core.errors import file_errors
from agents.engines.adapter_config import ADAPTER_CONFIG
from agents.models.checkpoint import read_json_object
from agents.models.store import cache_dir, disk_free, require_room
from agents.support.atomic_folder import staged_folder

TOKENIZER_FILES = ("tokenizer*", "*.jinja", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt")


def merged_checkpoint(
    base: Path,
    base_sha256: str,
    adapter: Path,
    adapter_sha256: str,
    *,
    root: Path | None = None,
    free_bytes: Callable[[Path], int] = disk_free,
) -> Path:
    """The folder of ``base`` with ``adapter`` merged, in float32; made unless it is there.

    PEFT merges it, which is exact for LoRA, rsLoRA and DoRA. Rounding to bfloat16 is not: on SmolLM2-135M it moved
    single log-probs by 0.57 nats. That is left to an engine that computes in bfloat16 and is held against the probes.
    While another process makes the same, this one waits.
    Raises DiskSpaceError before anything is written, FileError when the cache cannot be written, and
    DamagedModelError for weights that do not load.
    """
    folder = (cache_dir() if root is None else root) / "merged"
    config = json.dumps(read_json_object(adapter / ADAPTER_CONFIG), sort_keys=True)
    key = hashlib.sha256(f"{base_sha256} {adapter_sha256} {config}".encode()).hexdigest()[:24]
    final = folder / f"{adapter.name}-{key}"
    with file_errors(folder, "a folder that can be written, below AIAC_CACHE_DIR"):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{final.name}.lock"):
            if not final.is_dir():
                _make(base, adapter, final, free_bytes)
    return final


def _make(base: Path, adapter: Path, final: Path, free_bytes: Callable[[Path], int]) -> None:
    import torch

    from agents.engines.torch.engine import load_model, merge_adapter

    model = merge_adapter(load_model(base, torch.float32), adapter)
    needed = sum(p.numel() * p.element_size() for p in model.parameters())
    require_room(final.parent, needed, f"{adapter.name} merged", free_bytes)
    with staged_folder(final) as contents:
        save_checkpoint(model, base, contents)


def save_checkpoint(model: Any, base: Path, folder: Path) -> None:
    """Writes ``model`` as safetensors, with the tokenizer files of ``base``, its chat template among them."""
    model.save_pretrained(folder)
    for file in folder.glob("*.safetensors"):
        # safetensors creates its files for the owner alone; a service often runs as somebody else.
        file.chmod(0o644)
    for pattern in TOKENIZER_FILES:
        for file in base.glob(pattern):
            shutil.copyfile(file, folder / file.name)
