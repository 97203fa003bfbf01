"""Which member of an ensemble is computed by which engine.

How members are spread depends on what computes: adapters on one base can share an engine, whole checkpoints cannot, and
some back ends serve an adapter best when it is merged first. Each engine kind brings a ``Place`` that decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from agents.core.manifest import Member
from agents.engines.protocol import Engine


@dataclass(frozen=True)
class EnsembleWeights:
    """The verified weights of an ensemble: the base's name, folder and hash, and what its members add.

    ``folders`` are those of adapter and checkpoint members, by name.
    """

    base_model: str
    base: Path
    base_sha256: str
    members: Sequence[Member]
    folders: Mapping[str, Path]


Open = Callable[[], Awaitable[Engine]]


@dataclass(frozen=True)
class EngineSpec:
    """One engine to open, and the members it will compute.

    ``adapters`` says under which adapter name of the engine a member is computed, None for the engine's own checkpoint.
    The first of ``openers`` whose engine reproduces every member's golden probes serves, and the last one that opens in
    any case: a fast precision may come before an exact one.
    """

    name: str
    members: Sequence[Member]
    adapters: Mapping[str, str | None]
    openers: Sequence[Open]
    left_out: str | None = None
    """Why the engine is not opened, now or later: what there is room for is served without it."""


Place = Callable[[EnsembleWeights], list[EngineSpec]]
"""Plans the engines of an ensemble. It may write merged weights to the cache, so it is called on a thread.

Raises InputError when what there is to compute does not fit the machine.
"""


class OpenEngine(Protocol):
    """Opens an engine on a checkpoint folder with adapters by name. It blocks, so it is called on a thread."""

    def __call__(self, checkpoint: Path, adapters: Mapping[str, Path]) -> Engine: ...


def adapters_together(openers: Sequence[OpenEngine]) -> Place:
    """One engine for the base and all adapters on it, and one for every checkpoint member."""

    def place(weights: EnsembleWeights) -> list[EngineSpec]:
        on_base = [member for member in weights.members if member.kind != "checkpoint"]
        adapters = {member.name: weights.folders[member.name] for member in on_base if member.kind == "adapter"}
        specs = []
        if on_base:
            names = {member.name: member.name if member.kind == "adapter" else None for member in on_base}
            specs.append(EngineSpec("base", on_base, names, _bound(openers, weights.base, adapters)))
        for member in weights.members:
            if member.kind == "checkpoint":
                bound = _bound(openers, weights.folders[member.name], {})
                specs.append(EngineSpec(member.name, [member], {member.name: None}, bound))
        return specs

    return place


def _bound(openers: Sequence[OpenEngine], checkpoint: Path, adapters: Mapping[str, Path]) -> list[Open]:
    return [partial(asyncio.to_thread, open_engine, checkpoint, adapters) for open_engine in openers]
