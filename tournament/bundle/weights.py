"""The ensemble and its base model: which of their files answer, and so go into a bundle."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from agents.core.errors import InputError, ManifestError, UnknownModelError
from agents.core.manifest import FILE_NAME, Manifest, Member
from agents.engines.adapter_config import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from agents.ensemble.base_model import FindModel
from agents.ensemble.manifest_file import read_manifest
from agents.ensemble.weights import verified_folders, verify_base
from agents.models.catalogue import find_model
from agents.support.bundle import ENSEMBLES, MODELS
from tournament.bundle.file_copy import FileContent
from tournament.bundle.record import BaseRecord

SUFFIXES = (".safetensors", ".json", ".jinja", ".model", ".txt")
"""Of a checkpoint: weights, which load from safetensors only, settings, tokenizers and chat templates."""
ADAPTER_FILES = (ADAPTER_CONFIG, ADAPTER_WEIGHTS)


@dataclass(frozen=True)
class Weights:
    """What an ensemble needs to answer. ``files`` go by their paths in the bundle."""

    manifest: Manifest
    base: BaseRecord
    files: dict[str, FileContent]


def collect_weights(ensemble: Path, find_base: FindModel | None) -> Weights:
    """The ensemble at ``ensemble``, each file verified; its base from ``find_base``, or left to be pulled when None.

    Members of weight 0 never answer, so their weights stay away. Raises FileError and ManifestError for the manifest,
    DamagedModelError for weights that are not those it names, InputError for a base that cannot be pulled, and what
    ``find_base`` raises.
    """
    manifest = read_manifest(ensemble)
    file = ensemble / FILE_NAME if ensemble.is_dir() else ensemble
    base, files = (_to_pull(manifest), {}) if find_base is None else _inside(manifest, find_base)
    place = f"{ENSEMBLES}/{manifest.name}"
    files[f"{place}/{FILE_NAME}"] = file
    answering = [member for member in manifest.members if member.weight > 0 and member.kind != "base"]
    folders = verified_folders(answering, file.parent)
    for member in answering:
        found = _member_files(member, folders[member.name])
        files |= {f"{place}/{_place_of(member)}/{each.name}": each for each in found}
    return Weights(manifest, base, files)


def _inside(manifest: Manifest, find_base: FindModel) -> tuple[BaseRecord, dict[str, FileContent]]:
    model = manifest.base.model
    checkpoint = find_base(model)
    verify_base(manifest, checkpoint)
    place = f"{MODELS}/{Path(model).name or manifest.base.sha256}"
    files: dict[str, FileContent] = {f"{place}/{file.name}": file for file in checkpoint_files(checkpoint)}
    return BaseRecord(model=model, sha256=manifest.base.sha256, path=place, pull=None), files


def _to_pull(manifest: Manifest) -> BaseRecord:
    model, sha256 = manifest.base.model, manifest.base.sha256
    try:
        spec = find_model(model)
    except UnknownModelError:
        raise InputError("models", "'pull'", f"'inside', for {model} is no model of the catalogue") from None
    if spec.gguf_sha256 != sha256:
        raise InputError("models", "'pull'", f"'inside', for the catalogue pins other weights of {model}")
    return BaseRecord(model=model, sha256=sha256, path=None, pull=f"python -m agents.models {spec.name}")


def _place_of(member: Member) -> str:
    """Where the manifest says that a member's folder is, from the ensemble's own. Raises ManifestError if not so."""
    place = os.path.normpath(member.path or "")
    if place.startswith(("..", "/")):
        raise ManifestError(f"members.{member.name}.path", str(member.path), "a path from the ensemble's own folder")
    return place


def _member_files(member: Member, folder: Path) -> list[Path]:
    if member.kind == "checkpoint":
        return checkpoint_files(folder)
    missing = [name for name in ADAPTER_FILES if not (folder / name).is_file()]
    if missing:
        raise ManifestError(f"members.{member.name}.path", f"no {missing[0]} in {folder}", "an adapter that PEFT saved")
    return [folder / name for name in ADAPTER_FILES]


def checkpoint_files(folder: Path) -> list[Path]:
    """The files of a checkpoint that may be read to load it; pickled weights and code are not among them."""
    return sorted(file for file in folder.iterdir() if file.is_file() and file.suffix in SUFFIXES)
