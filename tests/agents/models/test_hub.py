"""The model hub as a source, against a small server on this machine that answers as a hub does."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from tiny_model import GGUF, SPEC, silent

from agents.core.errors import DownloadError
from agents.models.hub import HubSource


class Hub(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        known = self.path == "/example/Tiny-GGUF/resolve/main/tiny.gguf"
        self.send_response(200 if known else 404)
        self.send_header("Content-Length", str(len(GGUF) if known else 0))
        self.send_header("ETag", f'"{hashlib.sha256(GGUF).hexdigest()}"')
        self.send_header("X-Repo-Commit", "a" * 40)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(GGUF)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_file_is_fetched_and_progress_reported(
    tmp_path: Path, endpoint: str, capfd: pytest.CaptureFixture[str]
) -> None:
    steps: list[tuple[str, int, int]] = []
    file = HubSource(endpoint, offline=False).fetch(SPEC, tmp_path, lambda *step: steps.append(step))
    assert file == tmp_path / SPEC.hub.filename
    assert file.read_bytes() == GGUF
    assert steps[-1] == ("download", len(GGUF), len(GGUF))
    assert "tiny.gguf" not in capfd.readouterr().err, "the hub's own bar is not drawn"


def test_a_hub_that_is_switched_off_is_not_asked(tmp_path: Path) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"asked for {request.url}")

    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE"):
        HubSource(offline=True, transport=httpx.MockTransport(refuse)).fetch(SPEC, tmp_path, silent)


def test_a_hub_that_cannot_be_reached_is_given_up(tmp_path: Path) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("no route")

    with pytest.raises(DownloadError, match="cannot be reached"):
        HubSource(offline=False, transport=httpx.MockTransport(fail)).fetch(SPEC, tmp_path, silent)


def test_a_hub_that_refuses_is_given_up(tmp_path: Path) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(403))
    with pytest.raises(DownloadError, match="status 403"):
        HubSource(offline=False, transport=transport).fetch(SPEC, tmp_path, silent)
