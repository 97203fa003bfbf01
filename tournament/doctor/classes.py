"""The two classes that the organisers' agents import, read from source: nothing is imported and nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def find_class(tree: ast.Module, name: str) -> ast.stmt | None:
    """What gives ``name`` to a module: its class, an import or an assignment; None where nothing does."""
    found = None
    for statement in _module_level(tree.body):
        if name in _names(statement):
            found = statement
    return found


def interface_faults(found: ast.ClassDef) -> list[str]:
    """What of their agents' calls a class without base classes cannot take, each as a phrase."""
    methods = {item.name: item for item in found.body if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))}
    faults = []
    start = methods.get("__init__")
    if start is None or start.args.kwarg is None:
        faults.append("__init__ takes no **kwargs")
    if "tokenizer" not in methods and "tokenizer" not in set(_attributes(found)):
        faults.append("no tokenizer")
    respond = methods.get("generate_response")
    if respond is None:
        faults.append("no generate_response")
    elif isinstance(respond, ast.AsyncFunctionDef):
        faults.append("generate_response is asynchronous")
    elif respond.args.kwarg is None:
        faults.append("generate_response takes no **kwargs")
    return faults


def _module_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run on import, those under ``if``, ``try`` and ``with`` included."""
    for statement in body:
        yield statement
        for field in ("body", "orelse", "finalbody"):
            if isinstance(statement, (ast.If, ast.Try, ast.With)):
                yield from _module_level(getattr(statement, field, []))
        for handler in getattr(statement, "handlers", []):
            yield from _module_level(handler.body)


def _names(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.ClassDef(name=name):
            return [name]
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return [alias.asname or alias.name for alias in names]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
    return []


def _attributes(found: ast.ClassDef) -> Iterator[str]:
    """Names that the class or its methods assign to."""
    for node in ast.walk(found):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
