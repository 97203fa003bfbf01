"""docker/healthcheck.py, asked as Docker asks it: exit status 0 exactly when /ready says 200."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

HEALTHCHECK = Path(__file__).resolve().parents[2] / "docker" / "healthcheck.py"


@pytest.fixture
def serving():
    """A server on a free port that gives one answer to GET /ready; the value is its port."""
    servers = []

    def start(status: int, body: bytes) -> int:
        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status if self.path == "/ready" else 404)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Answer)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return server.server_port

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def checked(port: int, **variables: str) -> tuple[int, str]:
    environment = {**os.environ, "AIAC_PORT": str(port), **variables}
    done = subprocess.run([sys.executable, HEALTHCHECK], env=environment, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stderr


def test_a_service_that_is_ready_is_healthy(serving):
    assert checked(serving(200, b'{"status": "ready"}')) == (0, "")


def test_a_service_that_still_loads_is_not_healthy_and_its_answer_is_in_the_log(serving):
    port = serving(503, b'{"detail": "loading the model"}')
    assert checked(port) == (1, f'http://127.0.0.1:{port}/ready: 503: {{"detail": "loading the model"}}\n')


def test_a_service_that_does_not_listen_is_not_healthy():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    code, reason = checked(port)
    assert code == 1
    assert "Connection refused" in reason


def test_a_proxy_of_the_environment_is_not_asked(serving):
    assert checked(serving(200, b"{}"), http_proxy="http://127.0.0.1:9", no_proxy="") == (0, "")
