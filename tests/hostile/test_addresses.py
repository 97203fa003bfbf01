"""An address that is none is one sentence, wherever an address is given."""

from __future__ import annotations

import pytest

from agents.core.errors import InputError
from agents.engines.remote.engine import _address
from tournament.teams.http_wire import Wire

WRONG = [
    "http://[::1",
    "http://::1]",
    "http://[::1]:99999",
    "http://a:b",
    "http://a:-1",
    "http://",
    "http:///path",
    "://",
    "ftp://a",
    "http://" + "a" * 300,
    "http://a..b",
    "http://.",
    "http://a\u2100b/",
    "http://\u200b",
    "http://" + "[" * 10_000,
]


@pytest.mark.parametrize("url", WRONG, ids=range(len(WRONG)))
def test_a_team_at_no_address_is_one_sentence(url: str) -> None:
    with pytest.raises(InputError, match=r"^team: found .*; expected an address") as caught:
        Wire(url)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("url", WRONG, ids=range(len(WRONG)))
def test_a_remote_server_at_no_address_is_one_sentence(url: str) -> None:
    try:
        found = _address(url)
    except InputError as error:
        assert str(error).startswith("remote servers: found ")
        assert len(str(error)) < 1000
    else:
        # httpx takes names that no resolver knows; they fail when they are connected to, as any server that is gone.
        assert found.startswith("http://")


@pytest.mark.parametrize("url", ["http://[::1]:8000", "https://example.org/a", "http://müller.example"])
def test_an_honest_address_is_taken(url: str) -> None:
    assert Wire(url)
    assert _address(url)
