"""The page: what it shows, and that nothing a team wrote can act in it."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from arena_fakes import FakeClock, Item, ScriptedFolder, ScriptedTeam, good_team, match_of, on_time, play, question

from agents.core.errors import FileError
from tournament.match.key_judges import KeyView
from tournament.match.scoreboard import Scoreboard
from tournament.report.page import render_report, summary
from tournament.teams.protocol import Fault, TeamEntry

ATTACK = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'`{{ 7*7 }}{% raw %}</title></style>&lt;b&gt;"
ALLOWED_TAGS = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "strong", "span", "table", "thead", "tbody",
    "tr", "th", "td", "figure", "figcaption", "svg", "line", "text", "circle", "rect", "details", "summary", "ol", "li",
    "pre",
}  # fmt: skip


class Tags(HTMLParser):
    """Every tag and attribute name, and all text, as a browser's parser would find them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data

    def handle_endtag(self, tag):
        self.text += " " if tag in ("td", "th", "p", "tr") else ""


def parsed(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    return tags


def text_of(page: str) -> str:
    return " ".join(parsed(page).text.split())


class Panel:
    """Sure of C."""

    def judge(self, question, row, proof):
        return KeyView("disputed", "C", "panel", [0.1, 0.2, 0.6, 0.1])


@pytest.fixture
def page(tmp_path) -> str:
    clock = FakeClock()
    home = ScriptedTeam(
        clock,
        "Home team",
        [on_time(question(0)), on_time(question(1)), Item(question(2), seconds=14.0), on_time(question(3, choices=[]))],
        lambda _: on_time({"answer": "B", "probabilities": [0.1, 0.7, 0.1, 0.1]}),
    )
    away = ScriptedTeam(
        clock,
        "Away team",
        [on_time(question(i)) for i in range(4)],
        [Item({"answer": "B"}, seconds=9.25), on_time({"answer": "b"})],
    )
    return render_report(play(tmp_path / "log", clock, home, away, match_of(4), judges=[Panel()]).board)


def test_it_says_who_won_and_where_points_were_lost(page):
    text = text_of(page)
    assert "Home team won: 200.00 points to 0.00." in text
    assert "3 of 4 questions in time, 2 valid, 0 answered right." in text
    assert "choices: 0 of them, not 4" in text
    assert "answer: 'b', not exactly one upper-case letter" in text
    assert "Away team late 1 50.00 1 the same" in text


def test_it_shows_the_referees_view_of_a_key_beside_the_score(page):
    text = text_of(page)
    assert "Keys, as the referee sees them: 2 disputed." in text
    assert "B disputed: C by panel" in text
    assert "The panel's A 10% B 20% C 60% D 10%" in text


def test_it_plots_every_time_against_the_limit_and_calibration_where_it_is_known(page):
    assert page.count("<svg") == 5
    assert page.count('aria-label="Calibration plot"') == 1
    assert "<title>1: 9.250 s</title>" in page


def test_it_loads_nothing_and_runs_nothing(page):
    tags = parsed(page)
    assert tags.tags <= ALLOWED_TAGS
    assert not {name for name in tags.attributes if name.startswith("on")} | tags.attributes & {"src", "href"}
    assert "default-src 'none'" in page


def test_nothing_that_teams_write_becomes_markup(tmp_path):
    clock = FakeClock()
    hostile = question(0, topic=ATTACK, question=ATTACK, choices=[f"{x}) {ATTACK}" for x in "ABCD"], explanation=ATTACK)
    asks = [on_time(hostile), on_time(ATTACK), on_time({"question": ATTACK}), on_time(question(3, choices=ATTACK))]
    asks += [on_time(question(4, key=ATTACK)), Item(fault=Fault(kind="status", detail=f"HTTP status 500: {ATTACK}"))]
    asks += [on_time(question(i)) for i in range(6, 12)]
    home = ScriptedTeam(clock, ATTACK, asks, lambda _: on_time({"answer": ATTACK, "reasoning": ATTACK}))
    folder = ScriptedFolder(clock, [hostile] * 12, [{"answer": ATTACK, "reasoning": ATTACK}] * 12)
    board = play(tmp_path / "log", clock, home, folder, match_of(12)).board
    run = board.runs[0]
    board.runs.append(run.model_copy(update={"output_tail": ATTACK, "notes": [ATTACK]}))
    assert board.started is not None
    entry = TeamEntry(name=ATTACK, kind=ATTACK, where=ATTACK)
    board.started = board.started.model_copy(update={"away": entry})
    page = render_report(board)
    tags = parsed(page)
    assert tags.tags <= ALLOWED_TAGS
    assert not {name for name in tags.attributes if name.startswith("on")} | tags.attributes & {"src", "href"}
    assert "{{ 7*7 }}" in tags.text
    assert tags.text.count("<script>alert(1)</script>") >= 20


def test_characters_that_turn_text_around_are_shown_as_their_codes(tmp_path):
    clock = FakeClock()
    home = ScriptedTeam(
        clock, "home", [on_time(question(0, question="a\u202eb\x00c\ud800d"))], good_team(clock, 0).answers
    )
    board = play(tmp_path / "log", clock, home, good_team(clock, 1), match_of(1)).board
    page = render_report(board)
    assert "a\\u202eb\\x00c\\ud800d" in page
    page.encode()


def test_an_unfinished_match_is_reported_as_it_stands(tmp_path):
    clock = FakeClock()
    events = play(tmp_path / "log", clock, good_team(clock, 2), good_team(clock, 2), match_of(2)).events
    for kept in range(1, len(events)):
        assert "The match has not ended" in render_report(Scoreboard.of(events[:kept]))
    with pytest.raises(FileError, match="no beginning of a match"):
        render_report(Scoreboard())


def test_the_numbers_as_json(tmp_path):
    clock = FakeClock()
    home = good_team(clock, 2, name="home", letter="C")
    found = summary(play(tmp_path / "log", clock, home, good_team(clock, 2, name="away"), match_of(2)).board)
    assert (found["winner"], found["scores"]) == ("away", {"home": 0.0, "away": 200.0})
    assert [innings["right"] for innings in found["innings"]] == [2, 0]
