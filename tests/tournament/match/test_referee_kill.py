"""A referee that is killed in the middle of a match, for real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from arena_fakes import question
from loopback import Service, http, serving
from services_match import play_services

from tournament.match.log import read_log
from tournament.match.scoreboard import Scoreboard

ROOT = Path(__file__).parents[3]
GUARD_S = 60
PLAY = """
import sys
from pathlib import Path
from services_match import play_services
play_services(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
"""


@pytest.mark.parametrize(("stuck_at", "calls_before"), [("/question?detail=true", 2), ("/answer", 3)])
def test_a_match_whose_referee_is_killed_goes_on_and_asks_only_for_what_is_lost(tmp_path, stuck_at, calls_before):
    reached, release = threading.Event(), threading.Event()
    seen: Counter[str] = Counter()

    def respond(target: str, body: bytes):
        seen[target] += 1
        if target == stuck_at and seen[target] == calls_before and not release.is_set():
            reached.set()
            release.wait(GUARD_S)
        return http(question(json.loads(body)["seed"]) if target.startswith("/question") else {"answer": "B"})

    with serving(respond) as home, serving(respond) as away:
        path = tmp_path / "log"
        command = [sys.executable, "-c", PLAY, str(path), home.url, away.url]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, [ROOT, Path(__file__).parents[1]])),
        }
        with subprocess.Popen(command, env=environment) as process:
            assert reached.wait(GUARD_S)
            process.send_signal(signal.SIGKILL)
            assert process.wait(GUARD_S) == -signal.SIGKILL
        kept = Scoreboard.of(read_log(path))
        assert kept.ended is None
        release.set()
        before = len(home.calls), len(away.calls)
        board = play_services(path, home.url, away.url)
        assert board.ended is not None
        assert (board.score("home"), board.score("away")) == (100, 100)
        # 16 in all, and again the one that was under way, and questions whose keys died with the referee.
        in_log = sum(len(innings.questions) + len(innings.answers) for innings in kept.innings.values())
        lost = sum(question.withheld for innings in kept.innings.values() for question in innings.questions.values())
        assert lost == {"/answer": 2}.get(stuck_at, 1)
        assert sum(before) == in_log + 1
        assert len(home.calls) + len(away.calls) - sum(before) == 16 - in_log + lost
        assert repeated(home) + repeated(away) == 1 + lost


def repeated(service: Service) -> int:
    return len(service.calls) - len({json.dumps(call) for call in service.calls})
