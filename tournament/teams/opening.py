"""A team from what a person writes: an address, a folder, a file, or the name of an opponent made here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from agents.core.errors import InputError, describe
from tournament.teams.folder import FolderTeam
from tournament.teams.http import HttpTeam
from tournament.teams.protocol import AnyTeam
from tournament.teams.puzzle_source import PuzzleSource
from tournament.teams.question_file import FileSource, read_rows
from tournament.teams.reference import AlwaysFirst, ModelTeam, RandomLetter

if TYPE_CHECKING:
    from agents.answering.answerer import Answerer
    from agents.ensemble.base_model import FindModel

BASES = ("base-letter", "base-cloze")
REFERENCES = ("always-a", "random", *BASES)
ENSEMBLE_PREFIX = "ensemble:"


class OpenAnswerer(Protocol):
    """An answerer that is ready, and what closes its engines; an agents.ensemble.loading.LoadedEnsemble is one."""

    @property
    def answerer(self) -> Answerer: ...

    async def close(self) -> None: ...


@dataclass(frozen=True)
class TeamOptions:
    """Settings of teams beside their names."""

    seed: int = 0
    seeded: bool = False
    """Whether services are told the seeds of their questions."""
    model: str = "SmolLM2-135M-Instruct"
    """The base model of base-letter and base-cloze."""
    python: str | None = None
    """The interpreter of folders that have none of their own."""
    detail: bool = False
    """Whether services are asked for probabilities."""


@dataclass
class TeamOpener:
    """Opens teams. Ensembles and base models are opened once, since a league uses each many times."""

    options: TeamOptions
    puzzles: Callable[[], PuzzleSource]
    """Makes what opponents made here ask."""
    find_model: FindModel
    open_ensemble: Callable[[str], Coroutine[Any, Any, OpenAnswerer]]
    """Opens the ensemble of a name."""
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)
    """The event loop of every ensemble and base model."""
    _opened: dict[str, OpenAnswerer] = field(default_factory=dict)

    def open(self, spec: str, *, name: str | None = None, key: str | None = None) -> AnyTeam:
        """Open the team that ``spec`` names. Raises InputError that lists what it may be, and what opening it raises.

        ``key`` is the bearer key of a service.
        """
        options = self.options
        if spec in REFERENCES or spec.startswith(ENSEMBLE_PREFIX):
            return self._reference(spec, name or spec)
        if "://" in spec:
            return HttpTeam(spec, name=name, key=key, detail=options.detail, seeded=options.seeded)
        path = Path(spec)
        if path.is_dir():
            return FolderTeam(path, name=name, python=options.python)
        if path.is_file():
            return RandomLetter(FileSource(read_rows(path)), options.seed, name or path.name, "question file", spec)
        expected = f"an address (http://…), a folder, a file of questions, {', '.join(REFERENCES)}, or ensemble:NAME"
        raise InputError("team", describe(spec), expected)

    def ensemble(self, name: str) -> Answerer:
        """Return the answerer of the ensemble called ``name``. Raises as ``open_ensemble`` does."""
        return self._once(ENSEMBLE_PREFIX + name, lambda: self.open_ensemble(name))

    def close(self) -> None:
        """Close all ensembles and base models. Teams that use them must be done."""
        for opened in self._opened.values():
            self.runner.run(opened.close())
        self._opened.clear()
        self.runner.close()

    def _reference(self, spec: str, name: str) -> AnyTeam:
        source = self.puzzles()
        if spec == "always-a":
            return AlwaysFirst(source, name)
        if spec == "random":
            return RandomLetter(source, self.options.seed, name)
        if spec in BASES:
            answerer = self._once(spec, lambda: _open_base(self.find_model, self.options.model, spec))
            return ModelTeam(source, answerer, self.runner, name, spec)
        return ModelTeam(source, self.ensemble(spec.removeprefix(ENSEMBLE_PREFIX)), self.runner, name, "ensemble")

    def _once(self, spec: str, open_: Callable[[], Coroutine[Any, Any, OpenAnswerer]]) -> Answerer:
        if spec not in self._opened:
            self._opened[spec] = self.runner.run(open_())
        return self._opened[spec].answerer


def open_both(home: Callable[[], AnyTeam], away: Callable[[], AnyTeam]) -> tuple[AnyTeam, AnyTeam]:
    """Open both teams of a match. Raises what opening either raises, with neither left open."""
    first = home()
    try:
        return first, away()
    except BaseException:
        first.close()
        raise


@dataclass(frozen=True)
class _Base:
    """A base model alone."""

    answerer: Answerer
    engine: Any

    async def close(self) -> None:
        await self.engine.close()


async def _open_base(find_model: FindModel, model: str, spec: str) -> OpenAnswerer:
    """Open a base model that is asked for a letter in one order of the choices, or by cloze."""
    from agents.answering.answerer import Answerer
    from agents.answering.voter import Voter
    from agents.core.manifest import Base, Manifest, Member
    from agents.core.prompts import PromptRenderer
    from agents.engines.torch.engine import TransformersEngine

    engine = TransformersEngine.load(find_model(model))
    letter = spec == "base-letter"
    member = Member(name=spec, method="letter" if letter else "cloze", orders=1 if letter else None, weight=1.0)
    manifest = Manifest(name=spec, base=Base(model=model, sha256="0" * 64), members=[member])
    voter = Voter(member, engine, PromptRenderer(engine.tokenizer, engine.max_tokens))
    return _Base(Answerer(manifest, [voter]), engine)
