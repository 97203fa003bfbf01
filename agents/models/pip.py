"""Downloading one wheel with pip in a child process, quietly, with the bytes counted from outside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from agents.core.errors import DownloadError

POLL_S = 0.2


def pip_download(requirement: str, folder: Path, on_bytes: Callable[[int], None], options: Sequence[str] = ()) -> Path:
    """Download the wheel of ``requirement``, without its dependencies, into the empty ``folder`` and return its path.

    pip uses whatever index, mirror and proxy the person has configured; ``options`` are added to its command line.
    pip's own bar cannot be read across its versions, so ``on_bytes`` is called with the bytes that lie in ``folder``,
    where pip's temporary files are sent too. Raises ``DownloadError`` with pip's last error line when pip fails.
    """
    temporary, destination, log = folder / "tmp", folder / "out", folder / "pip.log"
    temporary.mkdir()
    # -P keeps a file called pip.py in the current folder from being run. Without --no-cache-dir pip would keep a second
    # copy of every wheel outside the cache folder, where the disk check does not count it.
    command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-cache-dir", "--progress-bar", "off", "--no-deps", "--only-binary", ":all:"]
    command += ["--dest", str(destination), *options, requirement]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - a list of our own words, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(temporary)},
        )
        try:
            while process.poll() is None:
                on_bytes(_size_of(folder))
                time.sleep(POLL_S)
        finally:
            # After Ctrl-C too: no pip is left writing into a folder that is about to be deleted.
            process.kill()
            process.wait()
    wheels = list(destination.glob("*.whl"))
    if process.returncode != 0 or len(wheels) != 1:
        raise DownloadError(f"the package index did not give {requirement} ({_last_error(log)})")
    return wheels[0]


def _last_error(log: Path) -> str:
    """pip's last error line, without the addresses in it: those of a private index may carry a password."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    if not lines:
        return "pip gave no reason"
    line = (
        next((line for line in reversed(lines) if line.startswith("ERROR:")), lines[-1]).removeprefix("ERROR:").strip()
    )
    line = re.sub(r"\b[a-z+]+://\S+", "<address>", line)
    return re.sub(r"host='[^']*'", "host=<address>", line)


def _size_of(folder: Path) -> int:
    """Bytes of the files below ``folder``, some of which may vanish meanwhile."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).stat().st_size
            except FileNotFoundError:
                continue
    return total
