"""Teams by name: their short names, their bearer keys, and the file that lists the teams of a league."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import yaml

from agents.core.errors import FileError, InputError, describe, first_line
from agents.core.text_file import read_text

KEY_VARIABLES = {"home": "AIAC_HOME_API_KEY", "away": "AIAC_AWAY_API_KEY"}
"""Bearer keys of services, one for each side: a key must not be sent to the opponent."""
LEAGUE_KEY_VARIABLE = "AIAC_TEAM_{}_API_KEY"
"""Bearer key of a team in a league, by its own name: it plays at home in one match and away in another."""
SLUG_CHARS = 40


def side_key(side: Literal["home", "away"]) -> str | None:
    """Return the bearer key for the service on a side, from the environment."""
    return os.environ.get(KEY_VARIABLES[side]) or None


def league_key(name: str) -> str | None:
    """Return the bearer key of a league's team; that of ``our team`` is in AIAC_TEAM_OUR_TEAM_API_KEY."""
    return os.environ.get(LEAGUE_KEY_VARIABLE.format(slug(name).replace("-", "_").upper())) or None


def slug(name: str) -> str:
    """Return a team's name in letters, digits and hyphens, for the name of a file or a variable."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:SLUG_CHARS] or "team"


def require_distinct(source: str, named: Iterable[tuple[str, str]]) -> None:
    """Raise InputError when two different names of ``named``, pairs of name and short form, share a short form."""
    seen: dict[str, str] = {}
    for name, short in named:
        # Some file systems take upper and lower case for the same, and a variable is in upper case.
        other = seen.setdefault(short.lower(), name)
        if other != name:
            expected = f"names that their letters and digits keep apart, the first {SLUG_CHARS} of each"
            raise InputError(f"{source}: teams", f"{other} and {name}, which are both {short} in short", expected)


def read_teams(path: Path) -> dict[str, str]:
    """Read a league's teams by name, from YAML: ``teams: {NAME: SPEC, …}``. Raises FileError, InputError by field."""
    expected = "a YAML file of teams"
    text = read_text(path, expected)
    try:
        payload = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise FileError(str(path), f"text that is not YAML ({first_line(error)})", expected) from None
    teams = payload.get("teams") if isinstance(payload, Mapping) else None
    if not isinstance(teams, Mapping) or len(teams) < 2:
        raise InputError(f"{path}: teams", describe(teams), "at least two teams, each NAME: what it is")
    for name, spec in teams.items():
        if not isinstance(spec, str) or not isinstance(name, str):
            expected = "an address, a folder, a file or an opponent's name"
            raise InputError(f"{path}: teams.{name}", describe(spec), expected)
    return dict(teams)
