"""Cost of refereeing: its share of a match's time, and its memory.

python -m benchmarks.arena prints JSON. Both teams are fake services in processes of their own, which answer after a
fixed time; the referee is this process, as in `aiac play`. ``--quick`` is a match of 2 questions without a model's
tokenizer.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from agents.core.edition import load_edition
from benchmarks.command_line import argument_parser, print_report
from benchmarks.reporting import Aims, check_aims, processor_name
from tournament.match.context import MatchContext
from tournament.match.description import MatchDescription
from tournament.match.log import EventLog
from tournament.match.referee import play_match
from tournament.match.scoreboard import Scoreboard
from tournament.match.token_counter import TokenCounter, token_counter
from tournament.teams.http import HttpTeam

EDITION = "feb2026_iitd"
AIMS: Aims = {"referee_cpu_percent": ("below", 1.0), "long_match_peak_rss_mb": ("below", 200.0)}
MATCHES = 3
"""Number of short matches; the median counts."""


def question(seed: int) -> dict[str, Any]:
    """Make a question of usual length that passes the filter."""
    people = "Asha, Bhanu, Chitra, Dev, Esha and Farid"
    text = f"{people} sit in a row, in the order of draw number {seed}. Who sits second from the left end?"
    return {
        "topic": "Seating Arrangements (Linear, Circular)",
        "question": text,
        "choices": ["A) Asha", "B) Bhanu", "C) Chitra", "D) Dev"],
        "answer": "B",
        "explanation": "By the order of the draw, Bhanu comes second.",
    }


def serve(latency_s: float) -> None:
    """Serve a team that answers after ``latency_s``; print its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # A response in two packets would wait for the first one's acknowledgement: 40 ms.
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            time.sleep(latency_s)
            value = (
                question(asked["seed"])
                if self.path.startswith("/question")
                else {"answer": "B", "reasoning": "So it is."}
            )
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


@contextmanager
def service(latency_ms: float) -> Iterator[str]:
    """Start a team in a process of its own; yield its address."""
    command = [sys.executable, "-m", "benchmarks.arena", "--serve", str(latency_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def measure(questions: int, latency_ms: float, tokens: TokenCounter) -> dict[str, Any]:
    """Play one match; return its wall time, the referee's processor time, and the scores."""
    with ExitStack() as stack:
        urls = [stack.enter_context(service(latency_ms)) for _ in range(2)]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        home, away = (HttpTeam(url, seeded=True) for url in urls)
        log = stack.enter_context(EventLog(folder / "log.jsonl"))
        context = MatchContext(MatchDescription(load_edition(EDITION), tokens, questions), log, Scoreboard())
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        board = play_match(context, home, away)
        cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
        home.close()
        away.close()
    return {
        "questions": questions,
        "latency_ms": latency_ms,
        "wall_s": round(wall_s, 3),
        "cpu_s": round(cpu_s, 4),
        "cpu_ms_per_request": round(cpu_s / (4 * questions) * 1000, 3),
        "cpu_percent": round(100 * cpu_s / wall_s, 3),
        "scores": [float(board.score("home")), float(board.score("away"))],
    }


def report(short: int, long: int, latency_ms: float, tokens: TokenCounter) -> dict[str, Any]:
    """Play short matches with a latency and a long one without; set the aims beside the measurements."""
    matches = sorted((measure(short, latency_ms, tokens) for _ in range(MATCHES)), key=lambda m: m["cpu_percent"])
    longest = measure(long, 0.0, tokens)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    median = matches[MATCHES // 2]["cpu_percent"]
    return {
        "processor": processor_name(),
        "tokenizer": tokens.name,
        "short": matches,
        "long": longest,
        "aims": check_aims({"referee_cpu_percent": median, "long_match_peak_rss_mb": peak_mb}, AIMS),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argument_parser("arena", __doc__)
    parser.add_argument("--questions", type=int, default=20, help="of a short match's innings")
    parser.add_argument("--long", type=int, default=1000, help="of the long match's innings")
    parser.add_argument("--latency-ms", type=float, default=50.0, help="a team's, in the short matches")
    parser.add_argument("--quick", action="store_true", help="2 and 4 questions, 1 ms, words for tokens")
    parser.add_argument("--serve", type=float, metavar="MS", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve is not None:
        serve(options.serve / 1000)
    elif options.quick:
        print_report(report(2, 4, 1.0, TokenCounter("words", lambda text: len(text.split()))))
    else:
        from aiac.commands.models import find_or_pull_with_progress

        print_report(
            report(options.questions, options.long, options.latency_ms, token_counter(find_or_pull_with_progress))
        )


if __name__ == "__main__":
    main()
