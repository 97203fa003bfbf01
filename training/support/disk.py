"""Disk before it runs out: how large the next save is, what is free, and what fills the model caches."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from agents.core.errors import DiskSpaceError
from agents.models.store import cache_dir, disk_free, readable_bytes

SAVE_OVERHEAD_BYTES = 24 << 20
"""What a checkpoint holds beside tensors: the tokenizer (11 MB for Qwen2.5), the trainer's state, random states."""

SHOWN = 3


def predict_save_bytes(trainable_params: int, dtype_bytes: int) -> int:
    """Bytes of a checkpoint of an adapter: its parameters, and AdamW's two moments for each.

    PyTorch keeps AdamW's moments in the dtype of the parameters, ``dtype_bytes`` each.
    """
    return trainable_params * dtype_bytes * 3 + SAVE_OVERHEAD_BYTES


def require_disk(
    folder: Path,
    needed_bytes: int,
    reserve_bytes: int,
    *,
    caches: Sequence[Path] | None = None,
    free_bytes: Callable[[Path], int] = disk_free,
) -> None:
    """Raises DiskSpaceError when ``needed_bytes`` in ``folder`` would leave less than ``reserve_bytes`` free.

    The folder need not exist yet. The error names what fills most of those ``caches`` that are on the same disk: by
    default the model store and the hub's cache.
    """
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = free_bytes(existing)
    if free >= needed_bytes + reserve_bytes:
        return
    expected = (
        f"at least {readable_bytes(needed_bytes + reserve_bytes)} "
        f"({readable_bytes(needed_bytes)} to write and {readable_bytes(reserve_bytes)} in reserve)"
    )
    device = existing.stat().st_dev
    for cache in default_caches() if caches is None else caches:
        if cache.is_dir() and cache.stat().st_dev == device and (usage := cache_usage(cache)):
            total = readable_bytes(sum(size for _, size in usage))
            largest = ", ".join(f"{name} {readable_bytes(size)}" for name, size in usage[:SHOWN])
            expected += f"; {cache} holds {total}: {largest}{' …' if len(usage) > SHOWN else ''}"
    raise DiskSpaceError(f"the disk of {folder}", f"{readable_bytes(free)} free", expected)


def default_caches() -> list[Path]:
    """The model store, and the hub's cache (``HF_HOME``, else ``~/.cache/huggingface``), whether they exist or not."""
    hub = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    return [cache_dir(), hub]


def cache_usage(root: Path) -> list[tuple[str, int]]:
    """What a cache holds, by folder two levels down (``models/<name>``, ``hub/models--<owner>--<name>``), in bytes.

    The biggest first. Links are not followed, so that the hub's snapshots do not count its blobs again; a folder that
    cannot be read counts as empty.
    """
    sizes: Counter[str] = Counter()
    for folder, _, files in os.walk(root):
        name = "/".join(Path(folder).relative_to(root).parts[:2]) or "."
        for file in files:
            sizes[name] += _size(Path(folder, file))
    return sorted(((name, size) for name, size in sizes.items() if size), key=lambda entry: (-entry[1], entry[0]))


def _size(file: Path) -> int:
    try:
        return 0 if file.is_symlink() else file.lstat().st_size
    except OSError:  # deleted since it was listed
        return 0
