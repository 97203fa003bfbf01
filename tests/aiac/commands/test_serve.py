"""`aiac serve`: what it checks before it loads anything, and what it prints."""

from __future__ import annotations

import json
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from service_fakes import QUESTION

from agents.core.errors import InputError, ManifestError, codes_of
from agents.core.manifest import Base, Manifest, Member
from agents.ensemble.manifest_file import write_manifest
from aiac.commands.serve import ready_message, serve
from service.settings import load_settings


@pytest.fixture
def ensemble(tmp_path: Path) -> Path:
    """An ensemble whose base model has weights that are not those its manifest records."""
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / "config.json").write_text("{}")
    (checkpoint / "model.safetensors").write_bytes(b"others")
    manifest = Manifest(
        name="fake",
        base=Base(model=str(checkpoint), sha256="0" * 64),
        members=[Member(name="only", method="letter", weight=1)],
    )
    return write_manifest(manifest, tmp_path / "ensemble").parent


def test_a_port_in_use_is_said_first() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InputError) as caught:
            serve(port=port, ensemble="no-such-ensemble")
    assert str(caught.value) == f"port: found {port} in use; expected a free port (--port)"
    assert codes_of(caught.value).exit_code == 2


@pytest.mark.parametrize(
    ("options", "variable"),
    [({"edition": "jan1970"}, "AIAC_EDITION"), ({"engine": "abacus"}, "AIAC_ENGINE"), ({"port": -1}, "AIAC_PORT")],
)
def test_bad_options(options: dict[str, str | int], variable: str) -> None:
    with pytest.raises(InputError, match=f"^{variable}: found "):
        serve(**options)  # type: ignore[arg-type]


def test_an_ensemble_that_is_not_there() -> None:
    with pytest.raises(ManifestError, match="no-such-ensemble"):
        serve(port=0, ensemble="no-such-ensemble")


def test_a_load_that_fails_ends_the_command_with_its_error(ensemble: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError) as caught:
        serve(port=0, ensemble=str(ensemble))
    assert "as the manifest records" in str(caught.value)
    assert codes_of(caught.value).exit_code == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "aiac: verifying weights" in output.err


def test_a_service_open_to_others_without_a_key_warns(ensemble: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError):
        serve(host="0.0.0.0", port=0, ensemble=str(ensemble))
    assert "set AIAC_API_KEY" in capsys.readouterr().err


def test_the_line_to_paste_is_one_shell_command() -> None:
    words = shlex.split(ready_message("http://127.0.0.1:8000", load_settings()).partition("Try: ")[2])
    assert words[:3] == ["curl", "-s", "http://127.0.0.1:8000/answer"]
    assert json.loads(words[-1]) == QUESTION
    assert "Authorization" not in ready_message("http://x", load_settings())
    with_key = ready_message("http://x", load_settings(api_key="s3cret"))
    assert '-H "Authorization: Bearer $AIAC_API_KEY"' in with_key
    assert "s3cret" not in with_key


LOADING = """
import asyncio, time
from aiac.commands.serve import _run
from service.server import reserve_port
from service.settings import load_settings

async def load(report):
    report("reading weights")
    await asyncio.to_thread(time.sleep, 600)

asyncio.run(_run(load_settings(port=0), load, reserve_port("127.0.0.1", 0)))
"""


def test_an_interrupt_does_not_wait_for_weights_that_are_being_read() -> None:
    with subprocess.Popen([sys.executable, "-c", LOADING], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "aiac: reading weights\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert process.stderr.read() == "aiac: interrupted\n"


def test_the_command_line_imports_nothing_heavy() -> None:
    heavy = ("fastapi", "uvicorn", "torch", "transformers", "prometheus_client")
    code = f"import sys, aiac.commands.serve; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"
