"""An ensemble of plain bytes to make bundles of, and a way to run what is in a bundle where nothing else is."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_fakes import letter_member, manifest_of
from arena_fakes import FEBRUARY

from agents.core.manifest import Base, Member
from agents.ensemble.manifest_file import write_manifest
from tournament.bundle.building import BundleRequest

WEIGHTS, ADAPTER = b"weights of the base", b"weights of the adapter"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Workshop:
    """A base checkpoint and an ensemble on it, as folders. Nothing in them computes."""

    base: Path
    ensemble: Path

    def request(self, **changes: Any) -> BundleRequest:
        return BundleRequest(
            **{"edition": FEBRUARY, "ensemble": self.ensemble, "find_base": lambda name: self.base, **changes}
        )


def workshop(at: Path, *members: Member, model: str = "tiny") -> Workshop:
    """By default a base member, an adapter that answers and one of weight 0."""
    base, ensemble = at / "base", at / "ensemble"
    for file, contents in {
        "config.json": b"{}",
        "tokenizer.json": b"{}",
        "model.safetensors": WEIGHTS,
        "pytorch_model.bin": b"a pickle",
        "modeling.py": b"raise SystemExit",
    }.items():
        base.mkdir(parents=True, exist_ok=True)
        (base / file).write_bytes(contents)
    for name in ("tuned", "measured"):
        folder = ensemble / "members" / name
        folder.mkdir(parents=True)
        (folder / "adapter_config.json").write_text("{}")
        (folder / "adapter_model.safetensors").write_bytes(ADAPTER)
        (folder / "optimizer.pt").write_bytes(b"a pickle")
    voters = members or (letter_member("plain"), adapter("tuned"), adapter("measured", weight=0.0))
    write_manifest(manifest_of(*voters, base=Base(model=model, sha256=sha256(WEIGHTS))), ensemble)
    return Workshop(base, ensemble)


def adapter(name: str, **fields: Any) -> Member:
    found = {"kind": "adapter", "path": f"members/{name}", "sha256": sha256(ADAPTER), **fields}
    return letter_member(name, **found)


def files_in(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


ALONE = """
import importlib, json, os, sys
from pathlib import Path

report, blocked, module, *arguments = sys.argv[1:]

def is_editable(finder):
    return "editable" in f"{getattr(finder, '__module__', '')}{getattr(finder, '__name__', '')}".lower()

sys.meta_path[:] = [finder for finder in sys.meta_path if not is_editable(finder)]
sys.path[:] = [os.getcwd(), *(entry for entry in sys.path[1:] if not Path(entry, "aiac").is_dir())]
assert importlib.util.find_spec("aiac") is None
assert importlib.util.find_spec("service") is None

def no_network(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        raise PermissionError(f"{event}: there is no network")

sys.addaudithook(no_network)
for name in filter(None, blocked.split(",")):
    sys.modules[name] = None
code = importlib.import_module(module).main(arguments)
files = {name: getattr(found, "__file__", None) for name, found in sys.modules.items() if found is not None}
Path(report).write_text(json.dumps(files))
sys.exit(code)
"""
"""A module's ``main`` without this project, some packages and a network; then where each module was loaded from."""


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str
    home: Path
    modules: dict[str, str | None]

    def from_checkout(self) -> list[str]:
        """Modules whose file lies in this checkout, or in whatever checkout the environment's own install leads to."""
        packages = ("agents", "aiac", "puzzles", "service", "tournament", "training", "tests")
        ours = {name: file for name, file in self.modules.items() if name.partition(".")[0] in packages}
        return [f"{name}: {file}" for name, file in ours.items() if "bundle-under-test" not in str(file)]


def without_network() -> list[str]:
    """What to put before a command, where this user may: a network of its own, with nothing in it."""
    tool = shutil.which("unshare")
    if tool is None or subprocess.run([tool, "-rn", "true"], capture_output=True).returncode != 0:
        return []
    return [tool, "-rn"]


def clean(home: Path) -> dict[str, str]:
    """Next to no environment, and a home that is empty and read-only."""
    home.mkdir(mode=0o555, exist_ok=True)
    return {"PATH": os.environ["PATH"], "HOME": str(home)}


def run_command(bundle: Path, command: str, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command line of bundle.json, by this interpreter, in the folder."""
    _, *arguments = command.split()
    return subprocess.run(
        [*without_network(), sys.executable, *arguments],
        cwd=bundle, env={**clean(home), **variables}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def run_alone(bundle: Path, at: Path, module: str, arguments: Sequence[str], *, without: Sequence[str] = ()) -> Ran:
    """``main`` of a module of the bundle, as ``ALONE`` says."""
    script, report, home = at / "alone.py", at / "modules.json", at / "home"
    script.write_text(ALONE)
    done = subprocess.run(
        [sys.executable, str(script), str(report), ",".join(without), module, *arguments],
        cwd=bundle, env=clean(home), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    modules = json.loads(report.read_text()) if report.exists() else {}
    return Ran(done.returncode, done.stdout, done.stderr, home, modules)
