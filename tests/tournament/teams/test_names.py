"""Teams by name, and whose bearer key is whose."""

from __future__ import annotations

from tournament.teams.names import read_teams, side_key


def test_teams_are_read_in_their_order(tmp_path):
    (tmp_path / "teams.yaml").write_text("teams:\n  b: random\n  a: http://127.0.0.1:1\n")
    assert list(read_teams(tmp_path / "teams.yaml").items()) == [("b", "random"), ("a", "http://127.0.0.1:1")]


def test_an_api_key_goes_to_its_own_side_only(monkeypatch):
    monkeypatch.setenv("AIAC_HOME_API_KEY", "secret")
    monkeypatch.delenv("AIAC_AWAY_API_KEY", raising=False)
    assert (side_key("home"), side_key("away")) == ("secret", None)
