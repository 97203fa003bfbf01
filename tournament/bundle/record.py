"""bundle.json: what a folder was made of, and the hash of every file in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from agents.core.errors import ManifestError, file_errors
from agents.core.manifest import Sha256
from agents.core.pydantic_errors import validation_error
from agents.support.atomic_file import write_whole
from agents.support.bundle import FILE_NAME
from tournament.teams.protocol import FrozenModel


class FileRecord(FrozenModel):
    sha256: Sha256
    bytes: int = Field(ge=0)


class PackageRecord(FrozenModel):
    """A package that has to be installed where the folder runs."""

    version: str | None
    """The one it was made with; None where it was not installed there."""
    at_start: bool
    """Whether both agents need it at once; otherwise those of ``imported_by`` do, when they are used."""
    imported_by: list[str]


class BaseRecord(FrozenModel):
    """The base model, as the ensemble's manifest names it, and the hash it is known by there."""

    model: str
    sha256: Sha256
    path: str | None
    """Where it is in the folder; None where it has to be pulled."""
    pull: str | None
    """The command that does, from inside the folder; None where the model is in it."""


class Record(FrozenModel):
    """Schema version 1 of bundle.json. ``agents.support.bundle.read_bundle`` reads the part that the agents need."""

    schema_version: Literal[1] = 1
    edition: str
    ensemble: str
    engine: str
    cpu_dtype: Literal["float32", "bfloat16"] | None
    """The precision that reproduced the golden probes on the CPU it was made on; None where none was tried."""
    base: BaseRecord
    commands: dict[Literal["questions", "answers"], str]
    """What the organisers run, in the folder."""
    python: str
    """The version it was made with. 3.11 is the oldest that runs it."""
    packages: dict[str, PackageRecord]
    files: dict[Annotated[str, Field(pattern=r"^[^/\\]")], FileRecord]
    """Every file of the folder but this one, by its path in it."""

    @property
    def total_bytes(self) -> int:
        return sum(entry.bytes for entry in self.files.values())


def read_record(folder: Path) -> Record:
    """The record of the bundle in ``folder``. Raises FileError, and ManifestError naming the field that is wrong."""
    file = folder / FILE_NAME
    with file_errors(file, "what `aiac bundle` wrote there"):
        data = file.read_bytes()
    try:
        return Record.model_validate_json(data)
    except ValidationError as error:
        raise validation_error(error, ManifestError, str(file), whole="contents") from None


def write_record(record: Record, folder: Path) -> None:
    write_whole(folder / FILE_NAME, record.model_dump_json(indent=1) + "\n")
