"""docker/entrypoint.sh: it becomes the command it was given, and refuses a GPU image without a GPU it can use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

DOCKER = Path(__file__).resolve().parents[2] / "docker"
ENTRYPOINT = DOCKER / "entrypoint.sh"
NOBODY = 65_534

pytestmark = pytest.mark.skipif(Path("/dev/kfd").exists(), reason="this machine has an AMD GPU")


@pytest.fixture
def start(tmp_path):
    """Starts the entrypoint where `aiac` is a few lines of shell."""
    started = []

    def make(*arguments: str, aiac: str = 'echo "$@"', **variables: str) -> subprocess.Popen[str]:
        command = tmp_path / "aiac"
        command.write_text(f"#!/bin/sh\n{aiac}\n", encoding="utf-8")
        command.chmod(0o755)
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **variables}
        process = subprocess.Popen(
            [ENTRYPOINT, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield make
    for process in started:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def test_the_command_gets_the_arguments_as_they_are(start):
    assert ended(start("answer", "a file.json", "*")) == (0, "answer a file.json *\n", "")


def test_the_exit_status_is_the_commands(start):
    assert ended(start("serve", aiac="exit 7"))[0] == 7


def test_the_command_takes_over_the_process_so_that_a_stop_signal_reaches_it(start):
    code = (
        "import os, signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); "
        "print(os.getpid(), flush=True); print(signal.sigwait([signal.SIGTERM]).name)"
    )
    process = start("serve", aiac=f"exec {sys.executable} -c '{code}'")
    assert process.stdout is not None
    assert int(process.stdout.readline()) == process.pid
    process.send_signal(signal.SIGTERM)
    assert ended(process) == (0, "SIGTERM\n", "")


def test_the_rocm_image_refuses_to_serve_by_vllm_without_a_gpu(start):
    code, out, err = ended(start("serve", GPU_PLATFORM="rocm", AIAC_ENGINE="vllm"))
    assert (code, out) == (1, "")
    assert err == (
        "aiac: /dev/kfd: not in this container; expected an AMD GPU: "
        "start it with --device /dev/kfd --device /dev/dri, or set AIAC_ENGINE to an engine that needs no GPU\n"
    )


@pytest.mark.parametrize("engine", ["transformers", "remote"])
def test_the_rocm_image_serves_without_a_gpu_by_an_engine_that_needs_none(start, engine):
    assert ended(start("serve", GPU_PLATFORM="rocm", AIAC_ENGINE=engine)) == (0, "serve\n", "")


@pytest.mark.parametrize("command", ["models", "data", "--help"])
def test_the_rocm_image_runs_what_computes_nothing_without_a_gpu(start, command):
    assert ended(start(command, GPU_PLATFORM="rocm", AIAC_ENGINE="vllm"))[0] == 0


def test_the_cpu_image_serves_by_vllm_without_a_gpu(start):
    assert ended(start("serve", AIAC_ENGINE="vllm")) == (0, "serve\n", "")


@pytest.fixture
def dev():
    """A folder like /dev with an AMD GPU in it; unlike tmp_path, another user can look into it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "dri").mkdir()
        for device in (folder / "kfd", folder / "dri" / "renderD128"):
            device.touch()
            device.chmod(0o666)
        yield folder


def devices_checked(dev: Path, user: int | None = None) -> tuple[int, str]:
    script = (DOCKER / "rocm_devices.sh").read_text(encoding="utf-8")
    done = subprocess.run(
        ["/bin/sh", "-s", dev], input=script, user=user, extra_groups=None if user is None else [], cwd="/",
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    return done.returncode, done.stderr


def test_devices_that_are_there_and_open_pass(dev):
    assert devices_checked(dev) == (0, "")


def test_a_gpu_without_its_render_device_is_refused(dev):
    (dev / "dri" / "renderD128").unlink()
    code, reason = devices_checked(dev)
    assert code == 1
    assert "/dri/renderD*: not in this container" in reason


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_device_closed_to_the_user_is_refused_with_the_group_that_opens_it(dev):
    os.chown(dev / "kfd", 0, 4321)
    (dev / "kfd").chmod(0o660)
    code, reason = devices_checked(dev, user=NOBODY)
    assert code == 1
    assert reason.startswith(f"aiac: {dev}/kfd: closed to user {NOBODY} in groups ")
    assert "--group-add 4321 (compose: RENDER_GID=4321)" in reason
