"""What a program imports, found by reading its source: modules of this project, and the packages it needs beside them.

Imports inside functions are followed as well, since engines are loaded that way; those for type checkers are not.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Package:
    """A package that is not ours, by its top-level name."""

    at_start: bool = False
    """Whether it is imported as soon as the program is; otherwise only by what calls for it."""
    importers: set[str] = field(default_factory=set)


@dataclass
class ImportGraph:
    """Our modules by name, with their files, and the packages by name."""

    modules: dict[str, Path] = field(default_factory=dict)
    packages: dict[str, Package] = field(default_factory=dict)


def follow_imports(roots: Sequence[str], folder: Path, ours: Sequence[str]) -> ImportGraph:
    """Everything that the modules ``roots`` lead to. ``ours`` are packages whose folders are in ``folder``.

    Raises FileNotFoundError for a root that is not there.
    """
    graph = ImportGraph()
    at_start: dict[str, bool] = {}
    waiting = [(root, True) for root in roots]
    for root in roots:
        if _file_of(root, folder) is None:
            raise FileNotFoundError(f"{root}: no such module in {folder}")
    while waiting:
        name, starts = waiting.pop()
        file = _file_of(name, folder)
        # A name that is no module is a class or function of the module before its last dot.
        if file is None or (name in at_start and (at_start[name] or not starts)):
            continue
        at_start[name] = starts
        graph.modules[name] = file
        if parent := name.rpartition(".")[0]:
            waiting.append((parent, starts))
        for imported, outside_functions in _imports(ast.parse(file.read_bytes()), at_top=True):
            top = imported.partition(".")[0]
            if top in ours:
                waiting.append((imported, starts and outside_functions))
            elif top not in sys.stdlib_module_names:
                package = graph.packages.setdefault(top, Package())
                package.at_start |= starts and outside_functions
                package.importers.add(name)
    return graph


def data_files(graph: ImportGraph, folder: Path) -> list[Path]:
    """What the packages of ``graph`` hold beside source, such as the editions: their modules read it by its place."""
    packages = sorted({name.partition(".")[0] for name in graph.modules})
    found = [file for package in packages for file in sorted((folder / package).rglob("*"))]
    return [file for file in found if file.is_file() and file.suffix not in (".py", ".pyc") and _is_shown(file, folder)]


def _is_shown(file: Path, folder: Path) -> bool:
    return not any(part.startswith(".") for part in file.relative_to(folder).parts)


def _file_of(module: str, folder: Path) -> Path | None:
    place = folder.joinpath(*module.split("."))
    candidates = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


def _imports(node: ast.AST, *, at_top: bool) -> Iterator[tuple[str, bool]]:
    """Every name that may be a module, and whether it is imported when the module itself is."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, at_top) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            # This project has no relative imports: ruff's rules and tests/test_project.py read absolute ones only.
            yield from ((name, at_top) for name in (child.module or "", *_members(child)) if name)
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            for statement in child.orelse:
                yield from _imports(statement, at_top=at_top)
        else:
            inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
            yield from _imports(child, at_top=at_top and not inside)


def _members(statement: ast.ImportFrom) -> list[str]:
    return [f"{statement.module}.{alias.name}" for alias in statement.names]
