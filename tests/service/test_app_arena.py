"""This project's own service as a team of the arena, over a real socket."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import httpx
import pytest
from served_app import served
from service_fakes import FakeEngine, ensemble_on, loads

from agents.asking.pool.store import QuestionStore
from agents.asking.questioner import Questioner
from agents.core.edition import load_edition
from aiac.cli import run
from service.app import create_app
from service.settings import load_settings
from tournament.match.log import read_log
from tournament.match.scoreboard import Scoreboard

EDITION = "feb2026_iitd"
QUESTIONS = 4
"""An innings: one on each of the edition's topics."""


class Listening:
    """An app, and the targets and JSON bodies of what it was sent."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.heard: list[tuple[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""

        async def overheard() -> Any:
            nonlocal body
            message = await receive()
            body += message.get("body", b"")
            return message

        await self.app(scope, overheard, send)
        if scope["type"] == "http":
            query = scope["query_string"].decode()
            target = scope["path"] + ("?" + query if query else "")
            self.heard.append((target, json.loads(body) if body else None))

    def bodies(self, target: str) -> list[Any]:
        return [body for heard, body in self.heard if heard == target]


class Resting(Executor):
    """Never comes to what it is given: the pool stays as it is but for what is taken."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return Future()


async def fill(pool: Path) -> None:
    """A question for each topic and level."""
    edition = load_edition(EDITION)
    questioner = Questioner(edition, QuestionStore(pool, capacity=1))
    while sum(row.waiting for row in (await questioner.status()).pool) < 3 * len(questioner.topics):
        assert await questioner.refill()
    await questioner.close()


def match(tmp_path: Path, tokenizer: str, *options: str) -> tuple[Scoreboard, Listening, dict[str, int]]:
    """A match of a service against itself, what it was sent, and where its questions came from."""
    pool, log = tmp_path / "pool.sqlite", tmp_path / "log.jsonl"
    asyncio.run(fill(pool))
    settings = load_settings(edition=EDITION, question_pool=str(pool))
    app = Listening(create_app(settings, loads(ensemble_on(FakeEngine())), Resting()))
    with served(app) as url:
        asked = ["--questions", str(QUESTIONS), "--log", str(log), "--tokenizer", tokenizer]
        assert run(["play", "--edition", EDITION, "--home", url, "--away", url, *asked, *options]) == 0
        sources = httpx.get(f"{url}/pool").json()["served"]
    return Scoreboard.of(read_log(log)), app, sources


def test_every_key_of_the_service_is_proved_and_the_other_side_sees_neither_key_nor_id(tmp_path, word_counter):
    board, service, _ = match(tmp_path, word_counter)
    views = [view for innings in board.innings.values() for view in innings.keys.values()]
    assert [(view.status, view.by) for view in views] == [("proved", "proof")] * (2 * QUESTIONS)
    seen = service.bodies("/answer")
    assert len(seen) == 2 * QUESTIONS
    assert {frozenset(row) for row in seen} == {frozenset({"topic", "question", "choices"})}


@pytest.mark.parametrize(
    ("options", "sources"), [([], {"pool": QUESTIONS, "fresh": QUESTIONS}), (["--seed", "0"], {"fresh": 2 * QUESTIONS})]
)
def test_what_waits_in_the_services_pool_is_played_unless_a_seed_asks_for_the_same_again(
    tmp_path, word_counter, options, sources
):
    # The pool holds one hard question a topic, and each innings asks for one.
    assert match(tmp_path, word_counter, *options)[2] == sources
