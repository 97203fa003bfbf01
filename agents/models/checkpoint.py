"""Checkpoint folders: what is recorded about one, and whether it still is what was recorded."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from agents.core.errors import DamagedModelError, describe, file_errors, first_line
from agents.core.text_file import read_json
from agents.models.catalogue import ModelSpec
from agents.models.download import sha256_of

RECORD = "model.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
CONFIG = "config.json"
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def write_record(folder: Path, spec: ModelSpec, converted_with: dict[str, str]) -> None:
    """Write ``model.json`` into ``folder``: source, converting libraries, and every file's SHA-256 and bytes."""
    files = {
        file.name: {"bytes": file.stat().st_size, "sha256": sha256_of(file)}
        for file in sorted(folder.iterdir())
        if file.name != RECORD
    }
    record = {
        "schema": 1,
        "name": spec.name,
        "hub_repo": spec.hub_repo,
        "licence": spec.licence,
        "source": {"file": spec.hub.filename, "bytes": spec.gguf_bytes, "sha256": spec.gguf_sha256},
        "converted_with": converted_with,
        "files": files,
    }
    (folder / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def read_record(folder: Path) -> dict[str, Any]:
    """The contents of ``model.json``; raises ``DamagedModelError`` when it is missing or unreadable."""
    file = folder / RECORD
    record = read_json(file, "the record that `aiac models pull` writes", DamagedModelError)
    try:
        if not all(isinstance(entry["bytes"], int) and entry["sha256"] for entry in record["files"].values()):
            raise ValueError("files")
        record["source"]["sha256"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedModelError(
            str(file), f"an unreadable record ({type(error).__name__})", "JSON with files"
        ) from error
    return dict(record)


def is_complete(folder: Path, gguf_sha256: str) -> bool:
    """Whether ``folder`` was made from the pinned GGUF and every recorded file is there with its size.

    Takes no time even for large models: nothing is hashed. ``verify_checkpoint`` is the thorough check.
    """
    try:
        record = read_record(folder)
        sizes_fit = all((folder / name).stat().st_size == entry["bytes"] for name, entry in record["files"].items())
    except (DamagedModelError, OSError):
        return False
    return sizes_fit and record["source"]["sha256"] == gguf_sha256


def read_json_object(file: Path) -> dict[str, Any]:
    """The object in a checkpoint's or an adapter's JSON file. Raises ``DamagedModelError`` when there is none."""
    found = read_json(file, "a JSON object", DamagedModelError)
    if not isinstance(found, dict):
        raise DamagedModelError(str(file), "JSON that is not an object", "a JSON object")
    return found


def verify_checkpoint(path: Path) -> dict[str, Any]:
    """Hash every file recorded in ``model.json`` again and return the record.

    Raises ``DamagedModelError`` naming the first file that is missing, has another size or another SHA-256.
    """
    record = read_record(path)
    for name, entry in record["files"].items():
        _require_plain_name(path / RECORD, name)
        file = path / name
        if not file.is_file():
            raise DamagedModelError(str(file), "no such file", f"{entry['bytes']:,} bytes, as model.json records")
        if (size := file.stat().st_size) != entry["bytes"]:
            raise DamagedModelError(str(file), f"{size:,} bytes", f"{entry['bytes']:,} bytes, as model.json records")
        if (found := sha256_of(file)) != entry["sha256"]:
            raise DamagedModelError(str(file), f"SHA-256 {found}", f"SHA-256 {entry['sha256']}, as model.json records")
    return record


def checkpoint_sha256(path: Path) -> str:
    """The SHA-256 that identifies the weights in the folder ``path``.

    That of ``model.safetensors`` where there is one; for shards, that of the lines ``name:sha256`` (each ending in a
    newline) of all ``*.safetensors`` files, sorted by name. Raises ``DamagedModelError`` when there are no such files,
    and as ``require_sound_index`` does.
    """
    require_sound_index(path)
    single = path / WEIGHTS
    if single.is_file():
        return sha256_of(single)
    shards = sorted(path.glob("*.safetensors"))
    if not shards:
        raise DamagedModelError(str(path), "no weights", "*.safetensors files")
    lines = "".join(f"{shard.name}:{sha256_of(shard)}\n" for shard in shards)
    return hashlib.sha256(lines.encode()).hexdigest()


def require_sound_index(folder: Path) -> None:
    """Check the index of a checkpoint in shards, where there is one; no weights are read, only their headers.

    Raises ``DamagedModelError`` for a shard outside the folder, one that is missing, and a tensor that its shard lacks.
    """
    file = folder / INDEX
    if not file.is_file():
        return
    expected = "a file name by tensor, as save_pretrained writes it"
    shards = read_json_object(file).get("weight_map")
    if not isinstance(shards, dict) or not all(isinstance(name, str) for name in shards.values()):
        raise DamagedModelError(f"{file}: weight_map", describe(shards), expected)
    if (folder / WEIGHTS).is_file() and set(shards.values()) != {WEIGHTS}:
        # The hash is that of the one file; an engine that reads the index would load others.
        raise DamagedModelError(str(file), f"an index beside {WEIGHTS}", f"shards, or {WEIGHTS} alone")
    tensors = {}
    for name in sorted(set(shards.values())):
        _require_plain_name(file, name)
        tensors[name] = tensor_names(folder / name)
    for tensor, name in shards.items():
        if tensor not in tensors[name]:
            raise DamagedModelError(str(folder / name), f"no tensor {describe(tensor)}", f"the tensors of {INDEX}")


def require_no_code(folder: Path) -> None:
    """Raise ``DamagedModelError`` for a checkpoint whose ``auto_map`` names code of its own: none is ever run."""
    code = read_json_object(folder / CONFIG).get("auto_map")
    if code:
        expected = "an architecture that transformers knows: code of a checkpoint is never run"
        raise DamagedModelError(f"{folder / CONFIG}: auto_map", describe(code), expected)


def tensor_names(file: Path) -> set[str]:
    """The names in the header of a safetensors file. Raises ``DamagedModelError``."""
    from safetensors import SafetensorError, safe_open

    expected = "whole safetensors"
    try:
        # The system's reason is clearer than the library's.
        with file_errors(file, expected, DamagedModelError), file.open("rb"):
            pass
        with safe_open(str(file), framework="np") as tensors:
            return set(tensors.keys())
    except SafetensorError as error:
        raise DamagedModelError(str(file), f"unreadable weights ({first_line(error)})", expected) from None


def _require_plain_name(place: Path, name: str) -> None:
    """Raise ``DamagedModelError`` at ``place`` for a name that may lead out of the folder."""
    if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise DamagedModelError(str(place), f"the file name {describe(name)}", "names of files in the same folder")


def verified_base_sha256(path: Path) -> str:
    """The SHA-256 a manifest knows the base model in ``path`` by, after checking that the files are whole.

    For a pulled model that is the pin of the file it was converted from: it does not depend on the versions of the
    libraries that converted it. For a checkpoint somebody brings it is ``checkpoint_sha256``. Raises
    ``DamagedModelError`` as ``verify_checkpoint`` and ``checkpoint_sha256`` do.
    """
    if (path / RECORD).is_file():
        require_sound_index(path)
        return str(verify_checkpoint(path)["source"]["sha256"])
    return checkpoint_sha256(path)


def checkpoint_folder(name_or_path: str | Path) -> Path | None:
    """``name_or_path`` as a checkpoint somebody brings: a folder with ``config.json``; None when it is not one.

    Raises ``DamagedModelError`` when the folder has no safetensors weights.
    """
    folder = Path(name_or_path).expanduser()
    if not (folder / CONFIG).is_file():
        return None
    if any(folder.glob("*.safetensors")):
        return folder
    pickled = sorted(file.name for file in folder.iterdir() if file.suffix in PICKLED)
    # A pickle runs whatever code it likes when it is loaded, so those weights are refused, not converted.
    raise DamagedModelError(
        str(folder),
        f"only pickled weights ({describe(pickled[0])})" if pickled else "no weights",
        "*.safetensors files, for weights load from safetensors only",
    )
