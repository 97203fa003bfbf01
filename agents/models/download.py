"""Getting a model's GGUF: the first source that can be reached and gives the pinned bytes."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from agents.core.errors import DamagedModelError, DownloadError
from agents.models.catalogue import ModelSpec

Progress = Callable[[str, int, int], None]
"""Called with a stage ("wait", "download", "verify", "convert"), the bytes done and the bytes in all (0: not known)."""

CHUNK_BYTES = 1 << 20


class GgufSource(Protocol):
    """A place a GGUF can come from."""

    name: str
    """Completes "from …" in a message, and names the source's own folder in the staging folder."""

    def fetch(self, spec: ModelSpec, staging: Path, progress: Progress) -> Path:
        """Put the GGUF of ``spec`` into ``staging``, an existing folder of this source's own, and return its path.

        What an interrupted call left in ``staging`` is used again where that is possible. The bytes need not be right:
        the caller checks their hash. Raises ``DownloadError`` when the source cannot be reached or has no such file.
        """
        ...


def fetch_gguf(spec: ModelSpec, staging: Path, sources: Sequence[GgufSource], progress: Progress) -> Path:
    """The verified GGUF of ``spec`` in the folder ``staging``, from the first of ``sources`` with the pinned bytes.

    Finished work of an earlier call stays in ``staging`` and is not done again; a file with a wrong hash is deleted,
    with the parts it was made of, so that the next call fetches them anew.

    Raises ``DamagedModelError`` when a source gave bytes with another SHA-256 and no other source gave the right ones,
    and ``DownloadError`` when no source could be reached.
    """
    target = staging / spec.hub.filename
    if target.exists() and sha256_of(target, progress) == spec.gguf_sha256:
        return target
    damage: DamagedModelError | None = None
    reasons: list[str] = []
    for source in sources:
        folder = staging / source.name.replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        try:
            file = source.fetch(spec, folder, progress)
        except DownloadError as error:
            reasons.append(str(error))
            continue
        found = sha256_of(file, progress)
        if found == spec.gguf_sha256:
            file.replace(target)
            _drop_folders(staging)
            return target
        shutil.rmtree(folder)
        damage = DamagedModelError(
            f"{file.name} from {source.name}", f"SHA-256 {found}", f"SHA-256 {spec.gguf_sha256}; it was deleted"
        )
    if damage is not None:
        raise damage
    raise DownloadError(f"{spec.name} could not be downloaded: {'; '.join(reasons) or 'no source is configured'}")


def sha256_of(file: Path, progress: Progress | None = None) -> str:
    """The SHA-256 of a file of any size as 64 hexadecimal digits; ``progress`` hears of it as the stage "verify"."""
    digest, done, total = hashlib.sha256(), 0, file.stat().st_size
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            if progress is not None:
                progress("verify", done, total)
    return digest.hexdigest()


def _drop_folders(staging: Path) -> None:
    """Delete what the sources left behind: the parts are in the GGUF now, and the conversion needs the room."""
    for entry in staging.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
