"""GET /matches and the stream of one: lines of a log as they are written, from where the client left off."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from match_events import ENDED, STARTED, append
from service_fakes import running

from agents.core.errors import FileError, InputError, UnknownMatchError
from service.match_logs import LogTail, MatchLogs
from tournament.match.live_board import LiveBoard

pytestmark = pytest.mark.anyio
QUESTION = {"type": "question_received", "innings": 1, "index": 0, "row": "a\u2028b\r\n<script>"}


def messages(text: str) -> list[dict[str, str]]:
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]  # type: ignore[misc]


async def test_a_match_that_ended_is_streamed_whole_and_the_stream_ends(tmp_path: Path) -> None:
    append(tmp_path / "one.jsonl", STARTED, QUESTION, ENDED)
    async with running(matches=str(tmp_path)) as service:
        response = await service.client.get("/matches/one/events")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert [json.loads(message["data"]) for message in messages(response.text)] == [STARTED, QUESTION, ENDED]
    assert {message["event"] for message in messages(response.text)} == {"event"}


async def test_a_stream_goes_on_after_the_last_event_that_was_seen(tmp_path: Path) -> None:
    append(tmp_path / "one.jsonl", STARTED, QUESTION, ENDED)
    async with running(matches=str(tmp_path)) as service:
        first = messages((await service.client.get("/matches/one/events")).text)[0]
        rest = await service.client.get("/matches/one/events", headers={"Last-Event-ID": first["id"]})
    assert [json.loads(message["data"]) for message in messages(rest.text)] == [QUESTION, ENDED]


async def test_the_scoreboard_is_sent_behind_the_events_also_to_who_comes_back(tmp_path: Path) -> None:
    append(tmp_path / "one.jsonl", STARTED, ENDED)
    async with running(matches=str(tmp_path), make_board=LiveBoard) as service:
        whole = messages((await service.client.get("/matches/one/events")).text)
        rest = await service.client.get("/matches/one/events", headers={"Last-Event-ID": whole[0]["id"]})
    assert [message["event"] for message in whole] == ["event", "event", "board"]
    assert "id" not in whole[-1]
    board = json.loads(whole[-1]["data"])
    assert (board["questions"], board["score"]) == (2, {"home": 0.0, "away": 0.0})
    assert messages(rest.text) == whole[1:]


async def test_a_log_that_its_scoreboard_cannot_read_is_streamed_without_one(tmp_path: Path) -> None:
    append(tmp_path / "one.jsonl", STARTED, {"type": "of another version"}, ENDED)
    async with running(matches=str(tmp_path), make_board=LiveBoard) as service:
        found = messages((await service.client.get("/matches/one/events")).text)
    assert [message["event"] for message in found] == ["event"] * 3


async def test_lines_come_as_they_are_written_and_never_half(tmp_path: Path) -> None:
    log = tmp_path / "one.jsonl"
    append(log, STARTED)
    async with asyncio.timeout(10):
        lines = LogTail(log).follow(0.001)
        assert (await anext(lines) or ())[1] == STARTED
        with log.open("a") as file:
            file.write('{"type": "match_')
        assert await anext(lines) is None
        with log.open("a") as file:
            file.write('ended"}\n')
        while (line := await anext(lines)) is None:
            pass
    assert line == (log.stat().st_size, {"type": "match_ended"})


async def test_the_server_that_stops_ends_the_streams(tmp_path: Path) -> None:
    append(tmp_path / "one.jsonl", STARTED)
    async with running(matches=str(tmp_path)) as service, asyncio.timeout(10):
        service.state.stopping.set()
        response = await service.client.get("/matches/one/events")
    assert messages(response.text) == []


async def test_a_log_that_is_none_is_told_of_in_the_stream(tmp_path: Path) -> None:
    append(tmp_path / "one.jsonl", STARTED)
    with (tmp_path / "one.jsonl").open("a") as file:
        file.write("not JSON\n")
    async with running(matches=str(tmp_path)) as service:
        response = await service.client.get("/matches/one/events")
    assert messages(response.text)[-1]["event"] == "problem"
    assert "a line that is no JSON object; expected an event" in response.text


@pytest.mark.parametrize("seen", ["x", "-1", "7", "99999"])
async def test_a_place_that_is_no_events_end_is_refused(tmp_path: Path, seen: str) -> None:
    append(tmp_path / "one.jsonl", STARTED)
    async with running(matches=str(tmp_path)) as service:
        response = await service.client.get("/matches/one/events", headers={"Last-Event-ID": seen})
    assert response.status_code == 422
    assert response.json()["field"] == "Last-Event-ID"


@pytest.mark.parametrize("name", ["two", "..%2fsecret", ".hidden", "link", "x" * 300, "a%00b"])
async def test_what_is_no_match_in_the_folder_is_not_found(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "matches"
    folder.mkdir()
    for path in (tmp_path / "secret.jsonl", folder / ".hidden.jsonl"):
        append(path, STARTED, ENDED)
    (folder / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")
    async with running(matches=str(folder)) as service:
        assert (await service.client.get(f"/matches/{name}/events")).status_code == 404
        assert (await service.client.get("/matches")).json() == {"matches": []}


async def test_matches_are_listed_with_their_teams(tmp_path: Path) -> None:
    append(tmp_path / "one.jsonl", STARTED, ENDED)
    append(tmp_path / "two.jsonl", STARTED)
    append(tmp_path / "other.jsonl", {"no": "match"})
    async with running(matches=str(tmp_path)) as service:
        listed = (await service.client.get("/matches")).json()["matches"]
    assert {(each["name"], each["home"], each["away"], each["ended"]) for each in listed} == {
        ("one", "us", "<b>them</b>", True),
        ("two", "us", "<b>them</b>", False),
    }


async def test_without_the_folder_there_are_no_matches(tmp_path: Path) -> None:
    async with running(matches=str(tmp_path / "nowhere")) as service:
        assert (await service.client.get("/matches")).json() == {"matches": []}


def test_a_log_that_became_shorter_is_another_one(tmp_path: Path) -> None:
    log = tmp_path / "one.jsonl"
    append(log, STARTED)
    tail = LogTail(log)
    tail.read()
    log.write_text("")
    with pytest.raises(FileError, match="fewer bytes than before"):
        tail.read()


def test_names_and_places_are_checked_before_anything_is_read(tmp_path: Path) -> None:
    append(tmp_path / "one.jsonl", STARTED)
    with pytest.raises(UnknownMatchError):
        MatchLogs(tmp_path).path("../one")
    with pytest.raises(InputError):
        LogTail(tmp_path / "one.jsonl", 3)
