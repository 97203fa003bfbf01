"""The weights of an ensemble, known to be those that its manifest names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from agents.core.errors import DamagedModelError, ManifestError
from agents.core.manifest import Manifest, Member
from agents.engines.adapter_config import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from agents.models.checkpoint import checkpoint_sha256, read_json_object, verified_base_sha256
from agents.models.download import sha256_of


def verify_base(manifest: Manifest, checkpoint: Path) -> None:
    """Raises DamagedModelError when the files in ``checkpoint`` are not whole, or not the base of ``manifest``."""
    found = verified_base_sha256(checkpoint)
    if found != manifest.base.sha256:
        raise DamagedModelError(f"{checkpoint}: SHA-256", found, f"{manifest.base.sha256}, as the manifest records")


def verified_folders(members: Sequence[Member], folder: Path) -> dict[str, Path]:
    """By name, the folders of those members that have weights of their own, in the ensemble's ``folder``.

    Raises ManifestError for a path that leads out of it, DamagedModelError for other weights than the manifest's.
    """
    return {member.name: _verified_folder(member, folder) for member in members if member.kind != "base"}


def _verified_folder(member: Member, folder: Path) -> Path:
    if member.path is None:
        raise ManifestError(f"members.{member.name}.path", "null", f"the folder of its {member.kind}")
    path = (folder / member.path).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ManifestError(f"members.{member.name}.path", member.path, "a folder inside the ensemble's own")
    if member.kind == "checkpoint":
        weights, found = path, checkpoint_sha256(path)
    else:
        weights = path / ADAPTER_WEIGHTS
        if not weights.is_file():
            raise DamagedModelError(str(weights), "no such file", "the adapter's weights")
        found = sha256_of(weights)
    if found != member.sha256:
        raise DamagedModelError(str(weights), f"SHA-256 {found}", f"{member.sha256}, as the manifest records")
    if member.config_sha256 is not None and (found := adapter_config_sha256(path)) != member.config_sha256:
        expected = f"{member.config_sha256}, as the manifest records"
        raise DamagedModelError(str(path / ADAPTER_CONFIG), f"SHA-256 {found}", expected)
    return path


def adapter_config_sha256(folder: Path) -> str:
    """Return the hash of an adapter's settings, however they are laid out. Raises DamagedModelError."""
    text = json.dumps(read_json_object(folder / ADAPTER_CONFIG), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
