"""Reading and writing ``ensemble.json``, the manifest of an ensemble folder."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from agents.core.errors import ManifestError, describe
from agents.core.manifest import FILE_NAME, SCHEMA_VERSION, Manifest
from agents.core.pydantic_errors import validation_error
from agents.core.text_file import read_text
from agents.support.atomic_file import write_whole


def read_manifest(path: Path) -> Manifest:
    """Read the manifest of an ensemble folder, or the file itself.

    Raises FileError when it cannot be read, ManifestError naming the field when it is not schema version 1.
    """
    file = path / FILE_NAME if path.is_dir() else path
    text = read_text(file, f"an ensemble's {FILE_NAME}")
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ManifestError(str(file), f"text that is not JSON ({error})", "a manifest") from None
    version = payload.get("schema_version") if isinstance(payload, dict) else None
    if version != SCHEMA_VERSION:
        raise ManifestError(f"{file}: schema_version", describe(version), str(SCHEMA_VERSION))
    try:
        return Manifest.model_validate(payload)
    except ValidationError as error:
        raise validation_error(error, ManifestError, str(file), whole="manifest") from None


def write_manifest(manifest: Manifest, folder: Path) -> Path:
    """Write ``ensemble.json`` whole or not at all. Raises FileError when the folder cannot be written."""
    file = folder / FILE_NAME
    write_whole(file, manifest.model_dump_json(indent=1) + "\n")
    return file
