"""Direction of imports: between packages, between the rooms of a package, and no circle of modules anywhere."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
Graph = Mapping[str, set[str]]
"""Modules of the project, each with the modules of the project that it imports, also inside functions."""

MAY_IMPORT: dict[str, set[str]] = {
    "puzzles": set(),
    "agents": {"puzzles"},
    "service": {"agents"},
    "tournament": {"agents"},
    "training": {"agents", "puzzles"},
    "aiac": {"agents", "puzzles", "service", "tournament", "training"},
    "benchmarks": {"agents", "aiac", "puzzles", "service", "tournament", "training"},
}

ROOMS: dict[str, list[set[str]]] = {
    "puzzles": [
        {"puzzle", "difficulty", "words", "family", "fingerprint", "model_checking", "clue_puzzles"},
        {"seating", "blood_relation", "syllogism", "series", "truth_teller", "matching"},
        {"generator"},
        {"checking"},
    ],
    "agents": [
        {"core"}, {"support"}, {"models"}, {"engines"}, {"answering"}, {"asking"}, {"ensemble"},
        {"answer_agent", "answer_model", "question_agent", "question_model"},
    ],
    "training": [
        {"support"}, {"sources"}, {"curation"}, {"adapters"}, {"plan"}, {"guards"}, {"recipe"}, {"merging"}, {"run"},
        {"release"}, {"train"},
    ],
    "tournament": [{"untrusted"}, {"teams"}, {"match"}, {"report"}, {"doctor"}, {"bundle"}, {"league"}],
}  # fmt: skip
"""Rooms of a package, lowest first. A room may import itself, its own floor and the floors below."""

FLOORS = {(package, room): i for package, floors in ROOMS.items() for i, floor in enumerate(floors) for room in floor}

SEPARATE = ROOMS["puzzles"][1]
"""Rooms of one floor that may not import each other: a puzzle family knows no other family."""


def import_graph(root: Path) -> Graph:
    """Read the imports of every package of ``MAY_IMPORT`` under ``root``."""
    files = {module_name(file, root): file for package in MAY_IMPORT for file in (root / package).rglob("*.py")}
    return {module: set(imports(file, module, files)) & files.keys() - {module} for module, file in files.items()}


def module_name(file: Path, root: Path) -> str:
    return ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def imports(file: Path, module: str, modules: Collection[str]) -> Iterator[str]:
    """Yield every module that a file imports; ``from package import name`` is a module where ``modules`` has it."""
    package = module.split(".") if file.stem == "__init__" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            names = (f"{source}.{alias.name}" for alias in node.names)
            yield from (name if name in modules else source for name in names)


def wrong_arrows(graph: Graph) -> list[str]:
    """Describe every import against the order of packages or rooms, and every module that is in no room."""
    found = []
    for module, names in sorted(graph.items()):
        package, room = place(module)
        if room and package in ROOMS and (package, room) not in FLOORS:
            found.append(f"{module} is in no room of {package}")
        else:
            found += [f"{module} imports {name}" for name in sorted(names) if not allowed(module, name)]
    return found


def place(module: str) -> tuple[str, str]:
    """Return the package of a module and its room, which is empty for the package itself."""
    package, _, rest = module.partition(".")
    return package, rest.partition(".")[0]


def allowed(module: str, name: str) -> bool:
    """Decide whether ``module``, which is in a room if its package has any, may import ``name``."""
    (package, room), (other_package, other) = place(module), place(name)
    if other_package != package:
        return other_package in MAY_IMPORT[package]
    if package not in ROOMS or room == other or "" in (room, other):
        return True
    here, there = FLOORS[package, room], FLOORS.get((package, other), len(ROOMS[package]))
    return there < here or (there == here and room not in SEPARATE)


def circle(graph: Graph) -> list[str]:
    """Return the modules of one circle of imports, the first again at the end; empty when there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


@pytest.fixture(scope="module")
def graph() -> Graph:
    return import_graph(ROOT)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(graph, package):
    of_package = {module: names for module, names in graph.items() if module.split(".")[0] == package}
    assert of_package
    assert not (found := wrong_arrows(of_package)), "\n".join(found)


def test_no_modules_import_each_other_in_a_circle(graph):
    assert not (found := circle(graph)), " → ".join(found)


def written(root: Path, files: Mapping[str, str]) -> Graph:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return import_graph(root)


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("agents/core/rules.py", "from service.app import create_app", "agents.core.rules imports service.app"),
        ("agents/core/rules.py", "import agents.engines.protocol", "agents.core.rules imports agents.engines.protocol"),
        (
            "agents/core/rules.py",
            "def late():\n    from ..engines import protocol",
            "agents.core.rules imports agents.engines.protocol",
        ),
        (
            "puzzles/series/family.py",
            "from puzzles.seating.linear import draw",
            "puzzles.series.family imports puzzles.seating.linear",
        ),
        ("agents/attic/trunk.py", "", "agents.attic.trunk is in no room of agents"),
    ],
)
def test_a_wrong_arrow_is_found(tmp_path, file, text, expected):
    tree = {
        "agents/__init__.py": "",
        "agents/core/schema.py": "",
        "agents/engines/protocol.py": "from agents.core import schema",
        "puzzles/seating/linear.py": "",
        "service/app.py": "from agents.engines.protocol import Engine",
    }
    assert wrong_arrows(written(tmp_path, tree)) == []
    assert wrong_arrows(written(tmp_path, {**tree, file: text})) == [expected]


def test_a_circle_is_found_also_through_a_function_and_a_relative_import(tmp_path):
    tree = {
        "agents/core/schema.py": "import json",
        "agents/core/rules.py": "from .schema import Question",
        "agents/core/topics.py": "from agents.core import rules",
    }
    assert circle(written(tmp_path, tree)) == []
    late = "def late():\n    import agents.core.topics"
    found = circle(written(tmp_path, {**tree, "agents/core/schema.py": late}))
    assert found[0] == found[-1]
    assert set(found) == {f"agents.core.{name}" for name in ("schema", "rules", "topics")}
