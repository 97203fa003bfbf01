"""Promises of the project: light imports, few parameters, one class a name, and documentation in step."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.core.edition import ALIASES
from agents.engines.remote.options import RemoteOptions
from agents.engines.vllm.options import VllmOptions
from agents.support.settings import settings_table
from service import schemas
from service.middleware import OPEN_FOLDER, OPEN_PATHS
from service.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("agents", "aiac", "benchmarks", "puzzles", "service", "tournament", "training")
MOST_PARAMETERS = 7
DEFINED_TWICE: dict[str, str] = {}
"""Class names that may be defined more than once, each with its reason."""
HEAVY = ("torch", "transformers", "vllm", "peft", "scipy", "fastapi", "tokenizers", "huggingface_hub", "rich.progress")


def definitions(*kinds: type[ast.AST]) -> Iterator[tuple[str, Any]]:
    """Yield every definition of these kinds in the packages, with its place."""
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, kinds):
                    yield f"{file.relative_to(ROOT)}:{node.lineno} {node.name}", node


def parameter_count(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the parameters of a function by name, without a method's ``self`` or ``cls``."""
    arguments = function.args
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def commands() -> set[str]:
    """Places of the functions that Typer calls: each option of a command is a parameter."""
    from aiac.cli import app

    groups = [app, *(group.typer_instance for group in app.registered_groups)]
    callbacks = [command.callback for group in groups for command in group.registered_commands]
    return {f"{c.__module__.replace('.', '/')}.py {c.__name__}" for c in callbacks if c}


def test_no_function_takes_more_parameters_than_a_reader_can_hold():
    exempt, found = commands(), []
    for place, function in definitions(ast.FunctionDef, ast.AsyncFunctionDef):
        if (count := parameter_count(function)) > MOST_PARAMETERS and re.sub(r":\d+", "", place) not in exempt:
            found.append(f"{place} takes {count}")
    assert not found, "\n".join(found)


def test_no_class_name_has_two_meanings():
    places: dict[str, list[str]] = {}
    for place, _ in definitions(ast.ClassDef):
        places.setdefault(place.split()[1], []).append(place)
    twice = {name: found for name, found in places.items() if len(found) > 1}
    unexplained = [place for name, found in twice.items() if name not in DEFINED_TWICE for place in found]
    assert not unexplained, "\n".join(unexplained)
    assert DEFINED_TWICE.keys() <= twice.keys(), "a name in DEFINED_TWICE is defined once"


def test_every_test_file_is_where_its_source_file_is_and_begins_with_its_name():
    strays = []
    for test in sorted((ROOT / "tests").glob("*/**/test_*.py")):
        place = test.relative_to(ROOT / "tests").parent
        name = test.stem.removeprefix("test_")
        sources = [file.stem for file in (ROOT / place).glob("*") if file.is_file()]
        if place.parts[0] in PACKAGES and not any(name == s or name.startswith(f"{s}_") for s in sources):
            strays.append(str(test.relative_to(ROOT)))
    assert not strays, "\n".join(strays)


@pytest.mark.parametrize(
    "module",
    [
        "agents.answering.answerer",
        "agents.ensemble.loading",
        "agents.answer_agent",
        "agents.answering.question_file",
        "agents.question_agent",
    ],
)
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


@pytest.mark.parametrize(
    "document", ["README.md", *sorted(str(f.relative_to(ROOT)) for f in ROOT.glob("ensembles/*/*.md"))]
)
def test_every_file_a_document_links_to_is_there(document):
    file = ROOT / document
    for link in re.findall(r"\]\(([^)#]+)\)", file.read_text(encoding="utf-8")):
        assert link.startswith("http") or (file.parent / link).exists(), link


def test_every_promise_about_hostile_input_names_a_test_and_every_hostile_test_is_promised():
    told = (ROOT / "docs" / "hostile.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/[\w/.]+\.py)`", told))
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []
    held = {str(file.relative_to(ROOT)) for file in (ROOT / "tests" / "hostile").glob("test_*.py")}
    assert sorted(held - named) == []


def test_what_a_package_holds_besides_python_is_installed_with_it():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    packages = {pattern.rstrip("*") for pattern in setuptools["packages"]["find"]["include"]}
    held = {
        file
        for package in packages
        for file in (ROOT / package).rglob("*")
        if file.is_file() and file.suffix != ".py" and "__pycache__" not in file.parts
    }
    matched = {
        file
        for package, patterns in setuptools["package-data"].items()
        for pattern in patterns
        for file in (ROOT / package).glob(pattern)
    }
    assert ROOT / "training" / "run" / "architectures.toml" in held
    assert sorted(held - matched) == []


def test_what_recipes_write_is_ignored_but_for_ensembles():
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").split()}
    for recipe in (ROOT / "recipes").glob("*.yaml"):
        written = re.findall(r"^ *(?:output|runs): *(\w+)/", recipe.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(written) <= ignored | {"ensembles"}, recipe.name


def test_every_recipe_the_readme_names_is_there():
    named = re.findall(r"recipes/[\w.-]+\.yaml", readme())
    assert "recipes/league.yaml" in named
    for recipe in named:
        assert (ROOT / recipe).is_file(), recipe


@pytest.mark.parametrize(
    ("request_line", "detailed", "canonical"),
    [
        ("POST /answer", schemas.DetailedAnswer, schemas.CanonicalAnswer),
        ("POST /question", schemas.DetailedQuestion, schemas.CanonicalQuestion),
    ],
)
def test_the_readme_names_every_field_of_a_detailed_reply(request_line, detailed, canonical):
    row = next(line for line in readme().splitlines() if line.startswith(f"| `{request_line}` |"))
    told = set(re.findall(r"`(\w+)`", row.partition("detail=true")[2]))
    assert told == set(detailed.model_fields) - set(canonical.model_fields)


def test_the_readme_names_every_path_that_needs_no_key():
    told = readme().partition("asks for a bearer key everywhere but")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([^`]+)`", told)) == {*OPEN_PATHS, f"{OPEN_FOLDER}…"}


def test_the_readme_names_every_edition_by_both_its_names():
    told = readme().partition("**Editions** are")[2].partition("\n\n")[0]
    assert {*ALIASES, *ALIASES.values()} <= set(re.findall(r"`([^`]+)`", told))
