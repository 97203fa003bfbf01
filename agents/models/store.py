"""The model store: a folder of checkpoints ready to load, and how one gets into it.

<root>/models/<name>/        a finished checkpoint with its model.json; it appears under this name only when it is whole
<root>/staging/<name>/       what an unfinished pull has so far; the next pull goes on from it
<root>/staging/<name>.lock   held by the process that pulls
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from agents.core.errors import DiskSpaceError, FileError, file_errors
from agents.models.catalogue import ModelSpec, find_model, load_catalogue
from agents.models.checkpoint import (
    checkpoint_folder,
    checkpoint_sha256,
    is_complete,
    verify_checkpoint,
    write_record,
)
from agents.models.convert import convert_gguf
from agents.models.download import GgufSource, Progress, fetch_gguf
from agents.models.hub import HubSource
from agents.models.package_index import PackageIndexSource

__all__ = ["ModelStore", "cache_dir", "checkpoint_folder", "checkpoint_sha256", "resolve_model", "verify_checkpoint"]

RESERVE_BYTES = 256 << 20

Convert = Callable[[Path, Path], dict[str, str]]
"""Writes the checkpoint of a GGUF file into an existing folder; returns the versions of the libraries that did it."""


def cache_dir() -> Path:
    """The root of the store outside a bundle: ``AIAC_CACHE_DIR``, else ``~/.cache/aiac``."""
    return Path(os.environ.get("AIAC_CACHE_DIR") or "~/.cache/aiac").expanduser()


def disk_free(folder: Path) -> int:
    """Free bytes on the disk of an existing folder."""
    return shutil.disk_usage(folder).free


def require_room(folder: Path, needed_bytes: int, what: str, free_bytes: Callable[[Path], int] = disk_free) -> None:
    """Raises DiskSpaceError unless the disk of ``folder``, which exists, holds ``what`` and a reserve."""
    needed, free = needed_bytes + RESERVE_BYTES, free_bytes(folder)
    if free < needed:
        expected = f"at least {readable_bytes(needed)} for {what}"
        raise DiskSpaceError(f"the disk of {folder}", f"{readable_bytes(free)} free", expected)


class ModelStore:
    """Checkpoints below ``root`` (``cache_dir()`` unless given).

    ``sources`` are asked for a GGUF in order: by default the model hub, then the package index. They, ``convert``,
    ``free_bytes`` and ``catalogue`` are arguments so that a test can put its own in their place.
    """

    def __init__(
        self,
        root: Path | None = None,
        sources: Sequence[GgufSource] | None = None,
        convert: Convert = convert_gguf,
        free_bytes: Callable[[Path], int] = disk_free,
        catalogue: Mapping[str, ModelSpec] | None = None,
    ) -> None:
        self.root = cache_dir() if root is None else root
        self.catalogue = load_catalogue() if catalogue is None else catalogue
        self._sources = (HubSource(), PackageIndexSource()) if sources is None else tuple(sources)
        self._convert = convert
        self._free_bytes = free_bytes

    def folder(self, name: str) -> Path:
        """Where the checkpoint of a model is, or will be once it is pulled. Raises ``UnknownModelError``."""
        return self.root / "models" / find_model(name, self.catalogue).name

    def is_ready(self, name: str) -> bool:
        """Whether the model is here, whole, and made from the pinned weights; nothing is hashed, so it takes no time.

        Raises ``UnknownModelError``.
        """
        return is_complete(self.folder(name), find_model(name, self.catalogue).gguf_sha256)

    def path(self, name: str) -> Path:
        """The folder of a ready checkpoint. Raises ``UnknownModelError``, and ``FileError`` when it is not ready."""
        folder = self.folder(name)
        if not self.is_ready(name):
            raise FileError(
                str(folder), "no complete checkpoint", f"a pulled model: run `aiac models pull {folder.name}`"
            )
        return folder

    def pull(self, name: str, progress: Progress | None = None) -> Path:
        """Download, verify and convert a model unless it is ready, and return its folder.

        A pull that was interrupted goes on where it stopped. While another process pulls the same model, this one waits
        and then uses what that one made. A ready model needs no write access to the store.

        Raises ``UnknownModelError``; ``DiskSpaceError`` before anything is downloaded; ``FileError`` when the store
        cannot be written; ``DownloadError`` and ``DamagedModelError`` as ``fetch_gguf`` does; ``MissingExtraError``
        when the libraries that convert are not installed.
        """
        spec = find_model(name, self.catalogue)
        report = progress or (lambda stage, done, total: None)
        if self.is_ready(name):
            return self.folder(name)
        staging = self.root / "staging" / spec.name
        with file_errors(self.root, "a folder that can be written, named by AIAC_CACHE_DIR"):
            staging.mkdir(parents=True, exist_ok=True)
            self.folder(name).parent.mkdir(exist_ok=True)
            lock = FileLock(staging.with_name(f"{spec.name}.lock"))
            try:
                lock.acquire(timeout=0)
            except Timeout:
                report("wait", 0, 0)
                lock.acquire()
            try:
                if not self.is_ready(name):
                    self._make(spec, staging, report)
            finally:
                lock.release()
        return self.folder(name)

    def _make(self, spec: ModelSpec, staging: Path, report: Progress) -> None:
        checkpoint, replaced = staging / "checkpoint", staging / "replaced"
        # The process this one waited for has deleted the folder, and half a conversion cannot be gone on with.
        staging.mkdir(exist_ok=True)
        for leftover in (checkpoint, replaced):
            shutil.rmtree(leftover, ignore_errors=True)
        self._check_disk(spec, staging)
        gguf = fetch_gguf(spec, staging, self._sources, report)
        report("convert", 0, spec.checkpoint_bytes)
        checkpoint.mkdir()
        write_record(checkpoint, spec, self._convert(gguf, checkpoint))
        final = self.folder(spec.name)
        if final.exists():
            # Damaged, or made from weights that an earlier catalogue pinned.
            final.replace(replaced)
        checkpoint.replace(final)
        report("convert", spec.checkpoint_bytes, spec.checkpoint_bytes)
        shutil.rmtree(staging)

    def _check_disk(self, spec: ModelSpec, staging: Path) -> None:
        """Raise ``DiskSpaceError`` unless the parts, the GGUF made of them and the checkpoint fit, with a reserve."""
        # The hub's client may never use an .incomplete file again, so those save no room.
        files = [file for file in staging.rglob("*") if file.is_file() and file.suffix != ".incomplete"]
        staged = sum(file.stat().st_size for file in files)
        download = 0 if (staging / spec.hub.filename).exists() else max(0, 2 * spec.gguf_bytes - staged)
        require_room(self.root, download + spec.checkpoint_bytes, spec.name, self._free_bytes)


def resolve_model(name_or_path: str | Path, store: ModelStore) -> Path:
    """The checkpoint folder that ``name_or_path`` means; nothing is downloaded.

    A folder with ``config.json`` is used as it is; anything else is a name of the catalogue. Raises as
    ``checkpoint_folder`` and ``ModelStore.path`` do.
    """
    return checkpoint_folder(name_or_path) or store.path(str(name_or_path))


def readable_bytes(size: int) -> str:
    """Bytes for a person, in powers of ten."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
