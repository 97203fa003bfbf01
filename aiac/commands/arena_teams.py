"""A team from what a person writes: an address, a folder, a file, or the name of an opponent made here."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from agents.core.errors import InputError, describe

if TYPE_CHECKING:
    from agents.answering.answerer import Answerer
    from puzzles import Puzzle
    from tournament.teams.protocol import AnyTeam, QuestionRequest, Row
    from tournament.teams.reference import QuestionSource

REFERENCES = ("always-a", "random", "base-letter", "base-cloze")
ENSEMBLE_PREFIX = "ensemble:"
KEY_VARIABLES = {"home": "AIAC_HOME_API_KEY", "away": "AIAC_AWAY_API_KEY"}
"""Bearer keys of services. Of each side its own: a key must not be sent to the opponent."""
LEAGUE_KEY_VARIABLE = "AIAC_TEAM_{}_API_KEY"
"""That of a team in a league, which is at home in one match and away in another: by its own name."""
SLUG_CHARS = 40
LEVELS = ("easy", "medium", "hard")


@dataclass
class TeamOptions:
    """What opening a team may need beside its name."""

    seed: int = 0
    seeded: bool = False
    """Whether services are told the seeds of their questions."""
    model: str = "SmolLM2-135M-Instruct"
    """The base model of base-letter and base-cloze."""
    python: str | None = None
    """The interpreter of folders that have none of their own."""
    detail: bool = False
    """Whether services are asked for probabilities."""
    opened: dict[str, Opened] = field(default_factory=dict)
    """Ensembles and base models that are open already, by name: a league uses each many times."""
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)
    """What all of them run on."""

    def close(self) -> None:
        """Closes what was opened. Teams that use it must be done."""
        for opened in self.opened.values():
            self.runner.run(opened.close())
        self.opened.clear()
        self.runner.close()


@dataclass(frozen=True)
class Opened:
    """An answerer that is ready, and what closes its engines."""

    answerer: Answerer
    close: Callable[[], Coroutine[Any, Any, None]]


class PuzzleSource:
    """Questions of opponents made here: proved puzzles of the families that belong to the topic."""

    def question(self, request: QuestionRequest) -> Any:
        import puzzles

        level = request.difficulty or LEVELS[request.seed % len(LEVELS)]
        families = [name for name in puzzles.FAMILIES if request.topic in _topics(name)] or list(puzzles.FAMILIES)
        family = families[request.seed % len(families)]
        puzzle = _puzzle(family, level, request.seed)
        from agents.core.schema import Question

        question = Question(puzzle.question, puzzle.choices, request.topic, puzzle.key)
        # The id says how to make it again: a match that is resumed in another process must find the proof.
        return {**question.canonical(puzzle.explanation), "id": f"{family}.{level}.{request.seed}"}

    def proof(self, row: Row) -> Any:
        import puzzles

        family, level, seed = str(row.get("id", "..")).split(".")
        if family not in puzzles.FAMILIES or level not in LEVELS:
            return None
        return _puzzle(family, level, int(seed)).to_json()


def check_puzzle_proof(row: Row, proof: Any) -> str | None:
    """The letter that a puzzle's certificate proves for a question in this very wording; None where it proves nothing.

    The puzzle is proved anew from its structure, so a false certificate convinces nobody.
    """
    import puzzles
    from agents.core.schema import LETTERS
    from tournament.match.scoring import readable

    if not isinstance(proof, dict):
        return None
    question = readable(row)
    try:
        puzzle = puzzles.Puzzle.from_json(proof)
        puzzles.verify(puzzle)
    except (puzzles.PuzzleError, TypeError, ValueError, KeyError, AttributeError, RecursionError):
        return None
    if question is None or question.text != puzzle.question or set(question.choices) != set(puzzle.choices):
        return None
    return LETTERS[question.choices.index(puzzle.choices[puzzle.key])]


def open_team(spec: str, options: TeamOptions, *, name: str | None = None, key: str | None = None) -> AnyTeam:
    """The team that ``spec`` names. Raises InputError that lists what it may be, and what opening it raises."""
    from tournament.teams.folder import FolderTeam
    from tournament.teams.http import HttpTeam
    from tournament.teams.question_file import FileSource, read_rows
    from tournament.teams.reference import RandomLetter

    if spec in REFERENCES or spec.startswith(ENSEMBLE_PREFIX):
        return _reference(spec, options, PuzzleSource(), name or spec)
    if "://" in spec:
        return HttpTeam(spec, name=name, key=key, detail=options.detail, seeded=options.seeded)
    path = Path(spec)
    if path.is_dir():
        return FolderTeam(path, name=name, python=options.python)
    if path.is_file():
        return RandomLetter(FileSource(read_rows(path)), options.seed, name or path.name, "question file", spec)
    expected = f"an address (http://…), a folder, a file of questions, {', '.join(REFERENCES)}, or ensemble:NAME"
    raise InputError("team", describe(spec), expected)


def side_key(side: Literal["home", "away"]) -> str | None:
    """The bearer key for the service on a side, from the environment."""
    return os.environ.get(KEY_VARIABLES[side]) or None


def league_key(name: str) -> str | None:
    """The bearer key for the service that a league calls ``name``: of ``our team`` AIAC_TEAM_OUR_TEAM_API_KEY."""
    return os.environ.get(LEAGUE_KEY_VARIABLE.format(slug(name).replace("-", "_").upper())) or None


def open_both(home: Callable[[], AnyTeam], away: Callable[[], AnyTeam]) -> tuple[AnyTeam, AnyTeam]:
    """Both teams of a match. Raises what opening either raises, with neither left open."""
    first = home()
    try:
        return first, away()
    except BaseException:
        first.close()
        raise


def slug(name: str) -> str:
    """A team's name in letters, digits and hyphens, for the name of a file or a variable."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:SLUG_CHARS] or "team"


def require_distinct(source: str, named: Iterable[tuple[str, str]]) -> None:
    """Raises InputError when two of ``named``, each what it is called and its short form, have one short form."""
    seen: dict[str, str] = {}
    for name, short in named:
        # Some file systems take upper and lower case for the same, and a variable is in upper case.
        other = seen.setdefault(short.lower(), name)
        if other != name:
            expected = f"names that their letters and digits keep apart, the first {SLUG_CHARS} of each"
            raise InputError(f"{source}: teams", f"{other} and {name}, which are both {short} in short", expected)


def read_teams(path: Path) -> dict[str, str]:
    """Teams of a league by name, from YAML: ``teams: {NAME: SPEC, …}``. Raises FileError, and InputError by field."""
    import yaml

    from agents.core.errors import FileError

    try:
        payload = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(str(path), str(error.strerror).lower(), "a YAML file of teams") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        first = str(error).splitlines()[0]
        raise FileError(str(path), f"text that is not YAML ({first})", "a YAML file of teams") from None
    teams = payload.get("teams") if isinstance(payload, Mapping) else None
    if not isinstance(teams, Mapping) or len(teams) < 2:
        raise InputError(f"{path}: teams", describe(teams), "at least two teams, each NAME: what it is")
    for name, spec in teams.items():
        if not isinstance(spec, str) or not isinstance(name, str):
            raise InputError(
                f"{path}: teams.{name}", describe(spec), "an address, a folder, a file or an opponent's name"
            )
    return dict(teams)


def _reference(spec: str, options: TeamOptions, source: QuestionSource, name: str) -> AnyTeam:
    from tournament.teams.reference import AlwaysFirst, ModelTeam, RandomLetter

    if spec == "always-a":
        return AlwaysFirst(source, name)
    if spec == "random":
        return RandomLetter(source, options.seed, name)
    if spec.startswith(ENSEMBLE_PREFIX):
        answerer = open_ensemble_once(spec.removeprefix(ENSEMBLE_PREFIX), options)
        return ModelTeam(source, answerer, options.runner, name, "ensemble")
    if spec not in options.opened:
        options.opened[spec] = options.runner.run(_base(options.model, spec))
    return ModelTeam(source, options.opened[spec].answerer, options.runner, name, spec)


def open_ensemble_once(name: str, options: TeamOptions) -> Answerer:
    """The ensemble called ``name``, opened unless it is open. Raises as ``open_ensemble`` does."""
    from aiac.commands.opening import open_ensemble

    spec = ENSEMBLE_PREFIX + name
    if spec not in options.opened:
        loaded = options.runner.run(open_ensemble(name))
        options.opened[spec] = Opened(loaded.answerer, loaded.close)
    return options.opened[spec].answerer


async def _base(model: str, spec: str) -> Opened:
    """A base model alone, asked for a letter in one order of the choices, or by cloze."""
    from agents.answering.answerer import Answerer
    from agents.answering.voter import Voter
    from agents.core.manifest import Base, Manifest, Member
    from agents.core.prompts import PromptRenderer
    from agents.engines.torch.engine import TransformersEngine
    from aiac.commands.models import find_or_pull

    engine = TransformersEngine.load(find_or_pull(model))
    letter = spec == "base-letter"
    member = Member(name=spec, method="letter" if letter else "cloze", orders=1 if letter else None, weight=1.0)
    manifest = Manifest(name=spec, base=Base(model=model, sha256="0" * 64), members=[member])
    voter = Voter(member, engine, PromptRenderer(engine.tokenizer, engine.max_tokens))
    return Opened(Answerer(manifest, [voter]), engine.close)


def _puzzle(family: str, level: str, seed: int) -> Puzzle:
    import puzzles

    return puzzles.generate(family, cast(Any, level), seed)


def _topics(family: str) -> tuple[str, ...]:
    from puzzles.generator import family_named

    return tuple(family_named(family).topics)
