"""What the project promises about itself: the direction of imports, light imports, and documentation in step."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agents.engines.remote_options import RemoteOptions
from agents.engines.vllm_options import VllmOptions
from agents.environment import settings_table
from service.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("agents", "aiac", "benchmarks", "puzzles", "service", "tournament", "training")
MAY_IMPORT = {
    "agents": {"puzzles"},
    "puzzles": set(),
    "service": {"agents"},
    "tournament": {"agents"},
    "training": {"agents", "puzzles"},
    "aiac": set(PACKAGES) - {"aiac", "benchmarks"},
    "benchmarks": set(PACKAGES) - {"benchmarks"},
}
HEAVY = ("torch", "transformers", "vllm", "peft", "scipy", "fastapi", "tokenizers", "huggingface_hub", "rich.progress")


def imported_packages(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("package", [p for p in PACKAGES if (ROOT / p).is_dir()])
def test_imports_point_one_way(package):
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for file in files:
        foreign = imported_packages(file) & set(PACKAGES) - {package}
        assert foreign <= MAY_IMPORT[package], f"{file.relative_to(ROOT)} imports {foreign - MAY_IMPORT[package]}"


@pytest.mark.parametrize("module", ["agents.answerer", "agents.loading", "agents.answer_agent", "agents.files"])
def test_agents_import_without_a_heavy_library(module):
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_command_starts_without_a_heavy_library():
    code = f"import sys, aiac.cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_holds_the_table_of_settings_as_the_code_defines_it():
    assert settings_table(Settings) in readme()
    assert settings_table(VllmOptions) in readme()
    assert settings_table(RemoteOptions) in readme()


def test_every_command_and_every_make_target_is_in_the_readme():
    from aiac.cli import app

    names = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    names += [f"{group.name} {c.name or c.callback.__name__}"
              for group in app.registered_groups for c in group.typer_instance.registered_commands]  # fmt: skip
    assert "models pull" in names
    for name in names:
        assert f"aiac {name}" in readme(), name
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert "serve" in targets
    for target in targets:
        assert target == "help" or f"make {target}" in readme(), target


def test_every_file_the_readme_links_to_is_there():
    for link in re.findall(r"\]\(([^)#]+)\)", readme()):
        assert link.startswith("http") or (ROOT / link).exists(), link
