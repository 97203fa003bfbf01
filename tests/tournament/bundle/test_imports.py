"""What a program imports, read from its source."""

from __future__ import annotations

from pathlib import Path

import pytest
from doctor_fakes import put

from tournament.bundle.building import OURS, ROOTS
from tournament.bundle.imports import ImportGraph, data_files, follow_imports

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def found(tmp_path) -> ImportGraph:
    put(tmp_path, "ours/__init__.py", "")
    put(tmp_path, "ours/deep/__init__.py", "import packaging")
    put(tmp_path, "ours/table.toml", "")
    put(tmp_path, "ours/.table.toml.swp", "")
    put(tmp_path, "ours/main.py", """
import json
from typing import TYPE_CHECKING
from ours.deep import engine
if TYPE_CHECKING:
    import mypy
    from ours import types
class Agent:
    import httpx
async def answer():
    from ours.later import load
    import torch.nn
""")  # fmt: skip
    put(tmp_path, "ours/deep/engine.py", "try:\n    import yaml\nexcept ImportError:\n    yaml = None\n")
    put(tmp_path, "ours/later.py", "import rich.console\nimport ours.deep.engine\ndef load(): ...\n")
    put(tmp_path, "ours/types.py", "")
    put(tmp_path, "ours/unused.py", "import flask")
    return follow_imports(["ours.main"], tmp_path, ["ours"])


def test_imports_in_functions_are_followed_and_those_for_type_checkers_are_not(found):
    assert set(found.modules) == {"ours", "ours.main", "ours.deep", "ours.deep.engine", "ours.later"}


def test_packages_are_told_apart_by_whether_they_are_needed_at_the_start(found):
    at_start = {name: package.at_start for name, package in found.packages.items()}
    # What a module imports at its top is not needed at the start when the module itself is loaded later.
    assert at_start == {"packaging": True, "yaml": True, "httpx": True, "torch": False, "rich": False}
    assert found.packages["rich"].importers == {"ours.later"}


def test_files_beside_the_source_come_along_and_hidden_ones_do_not(found, tmp_path):
    assert data_files(found, tmp_path) == [tmp_path / "ours" / "table.toml"]


def test_a_root_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"ours\.main: no such module"):
        follow_imports(["ours.main"], tmp_path, ["ours"])


def test_the_agents_need_nothing_of_this_project_but_two_packages():
    graph = follow_imports(ROOTS, ROOT, OURS)
    assert not {"aiac", "service", "training", "tournament", "benchmarks"} & set(graph.packages)
    assert {"puzzles.matching.family", "agents.engines.vllm.engine", "agents.models.store"} <= set(graph.modules)
    assert {file.name for file in data_files(graph, ROOT)} >= {"catalogue.toml", "feb2026_iitd.toml"}
