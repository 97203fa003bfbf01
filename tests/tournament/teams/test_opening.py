"""Teams from what a person writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.core.errors import InputError
from aiac.commands.shared import open_ensemble, puzzle_source
from tournament.teams.opening import TeamOpener, TeamOptions, open_both
from tournament.teams.protocol import AnyTeam
from tournament.teams.reference import AlwaysFirst


def test_an_address_is_a_service():
    opener = TeamOpener(TeamOptions(), puzzle_source, Path, open_ensemble)
    team = opener.open("http://127.0.0.1:1", key="secret")
    assert (team.entry.kind, team.entry.where) == ("service", "http://127.0.0.1:1")
    opener.close()


def test_the_first_team_is_closed_when_the_second_cannot_be_opened():
    closed = []

    class Team(AlwaysFirst):
        def close(self) -> None:
            closed.append(self.entry.name)

    def unknown() -> AnyTeam:
        raise InputError("team", "nobody", "somebody")

    with pytest.raises(InputError, match="nobody"):
        open_both(lambda: Team(puzzle_source(), "first"), unknown)
    assert closed == ["first"]
