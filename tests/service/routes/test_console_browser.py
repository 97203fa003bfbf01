"""The console page in a real Chromium before a served app: what a person sees, by mouse, keyboard and on a phone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from match_events import ENDED, STARTED, append
from served_app import served
from service_fakes import FakeEngine, ensemble_on, loads

from service.app import create_app
from service.settings import load_settings
from tournament.match.live_board import LiveBoard

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here (Debian's package is called chromium)"),
]
FLAGS = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
FLAGS += ["--no-first-run", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><b>Which?</b>"


@dataclass
class Console:
    """The page, where it is served from, where its matches are, and what went wrong in it."""

    page: Any
    url: str
    matches: Path
    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The app on a free port, with an engine whose numbers are known, and the folder of its matches."""
    matches = tmp_path / "matches"
    matches.mkdir()
    settings = load_settings(matches=str(matches), question_pool=str(tmp_path / "pool.sqlite"))
    with served(create_app(settings, loads(ensemble_on(FakeEngine())), make_board=LiveBoard)) as url:
        yield url, matches


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def console(browser: Any, service: tuple[str, Path]) -> Iterator[Console]:
    url, matches = service
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    found = Console(page, url, matches)
    page.on("console", lambda said: found.errors.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: found.errors.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith(url) else found.elsewhere.append(asked.url))
    page.goto(url)
    page.get_by_text("Ready:").wait_for()
    yield found
    page.close()
    assert found.elsewhere == []


def ask(page: Any, text: str, shown: str) -> Any:
    """Asks by mouse; the element ``shown``, once it is there."""
    page.get_by_label("Question").first.fill(text)
    page.get_by_role("button", name="Ask the A-Agent").click()
    found = page.locator(shown)
    found.wait_for(state="visible")
    return found


def test_a_question_is_answered_with_bars_for_the_pool_and_each_member(console: Console) -> None:
    text = "What is the capital of France?\nA) London\nB) Paris\nC) Rome\nD) Madrid"
    result = ask(console.page, text, "#ask-result")
    assert result.locator(".letter").inner_text() == "B"
    assert "Paris" in result.inner_text()
    assert result.locator(".vote").count() == 2
    assert "every member voted" in result.inner_text()
    assert console.errors == []


def test_text_of_a_question_never_becomes_markup(console: Console) -> None:
    page = console.page
    body = {"question": HOSTILE, "choices": [HOSTILE, "<script>document.title='owned'</script>", "three", "four"]}
    assert "<img src=x" in ask(page, json.dumps(body), "#ask-result").inner_text()
    assert page.locator("#ask-result script, #ask-result img").count() == 0
    assert page.title() == "aiac console"


def test_what_cannot_be_read_is_said_as_the_service_says_it(console: Console) -> None:
    problem = ask(console.page, '{"question": "Which?", "choices": ["one"]}', "#ask-problem")
    assert "choices" in problem.inner_text()


def take(page: Any) -> dict[str, Any]:
    """Takes an easy question by mouse; what the service gave, once it is shown."""
    page.get_by_role("tab", name="Question").click()
    page.get_by_label("Difficulty").select_option("easy")
    with page.expect_response("**/question?detail=true") as taken:
        page.get_by_role("button", name="Take a question").click()
    page.locator("#take-result").wait_for(state="visible")
    return dict(taken.value.json())


def rows(page: Any, panel: str, caption: str) -> list[list[str]]:
    """The cells of a table that is there."""
    table = page.locator(f"#{panel}-result .card", has=page.get_by_role("heading", name=caption))
    return [row.locator("td").all_text_contents() for row in table.locator("tbody tr").all()]


def test_a_question_is_taken_and_its_key_and_proof_are_shown_when_asked_for(console: Console) -> None:
    page = console.page
    taken, result = take(page), page.locator("#take-result")
    assert taken["question"] in result.text_content()
    assert result.locator(".choices li").all_text_contents() == taken["choices"]
    assert result.locator(".key, .proof").count() == 0
    page.get_by_role("button", name="Show the key").click()
    result.get_by_role("heading", name=f"Key: {taken['answer']}").wait_for()
    assert result.locator(".key").all_text_contents() == [taken["choices"]["ABCD".index(taken["answer"])]]
    page.get_by_role("button", name="Show the proof").click()
    shown = result.locator(".proof")
    shown.wait_for()
    proof = httpx.get(f"{console.url}/question/{taken['id']}/proof").json()
    names = shown.locator("> dl > dt").all_text_contents()
    assert names == [name.replace("_", " ") for name in proof]
    assert proof["family"] in shown.text_content()
    assert console.errors == []


def test_the_pool_shows_what_waits_and_what_each_gate_let_through(console: Console) -> None:
    page = console.page
    take(page)
    page.get_by_role("tab", name="Pool").click()
    page.get_by_text("Served since the start: 1 fresh.").wait_for()
    pool = httpx.get(f"{console.url}/pool").json()
    waiting = [[row["topic"], row["level"], str(row["waiting"]), str(row["served"])] for row in pool["waiting"]]
    assert rows(page, "pool", "Questions that wait") == waiting
    gates = [[row["gate"], row["proposer"], str(row["entered"]), str(row["refused"])] for row in pool["gates"]]
    assert [cells[:4] for cells in rows(page, "pool", "What the gates refused")] == gates
    assert len(waiting) > 0
    assert len(gates) > 0
    assert console.errors == []


def test_the_members_are_shown_with_how_far_each_is_off(console: Console) -> None:
    page = console.page
    page.get_by_role("tab", name="Members").click()
    page.get_by_role("heading", name="fake on").wait_for()
    assert rows(page, "members", "fake on") == [
        ["first", "serves", "0.00010", "as released"],
        ["second", "serves", "0.00010", "as released"],
    ]
    assert console.errors == []


def test_a_match_is_shown_as_it_runs(console: Console) -> None:
    page, log = console.page, console.matches / "one.jsonl"
    append(log, STARTED)
    page.get_by_role("tab", name="Matches").click()
    page.locator("#match option", has_text="us").wait_for(state="attached")
    page.get_by_role("button", name="Follow").click()
    feed = page.locator("#match-feed li")
    feed.first.wait_for()
    assert feed.count() == 1
    # The board comes a moment after the event.
    page.locator("#match-board", has_text="<b>them</b>").wait_for()
    answered = {"v": 1, "at_s": 2.0, "innings": 1, "index": 0, "elapsed_s": 1.5}
    append(
        log,
        {**answered, "type": "question_received", "topic": "t", "seed": 1, "delivery": "on time", "row": {}},
        {"v": 1, "at_s": 2.0, "type": "questions_filtered", "innings": 1, "survivors": [0], "broken": {},
         "disqualified": False},
        {**answered, "type": "answer_received", "outcome": "wrong", "letter": "B"},
    )  # fmt: skip
    page.locator("#match-board .ahead", has_text="us100.0").wait_for()
    page.locator("#match-board", has_text="1 of 1 questions passed the filter; 0 right of 1 answers.").wait_for()
    assert page.locator("#match-board .dots li").all_inner_texts() == ["✗"]
    assert page.locator("#match-state").inner_text() == "Live."
    append(log, ENDED)
    page.locator("#match-feed li >> nth=4").wait_for()
    page.locator("#match-state", has_text="us wins").wait_for()
    assert console.errors == []


def test_all_of_it_is_reached_by_keyboard(console: Console) -> None:
    page = console.page
    page.locator("#tab-answer").focus()
    for panel in ("question", "pool", "members", "matches", "answer"):
        page.keyboard.press("ArrowRight")
        assert page.locator(f"#{panel}").is_visible()
        assert page.evaluate("document.activeElement.id") == f"tab-{panel}"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "ask-text"
    page.keyboard.type("Which?\none\ntwo\nthree\nfour")
    page.keyboard.press("Control+Enter")
    page.locator("#ask-result").wait_for(state="visible")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_on_a_phone(console: Console, scheme: str) -> None:
    page = console.page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 740})
    for panel in ("answer", "question", "pool", "members", "matches"):
        page.locator(f"#tab-{panel}").click()
        page.locator(f"#{panel}").wait_for(state="visible")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, panel
